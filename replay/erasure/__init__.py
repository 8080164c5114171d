"""What a run holds of a text once it is decoded, and how that is erased for good."""
