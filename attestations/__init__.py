"""Who vouches for what, and whether that is enough."""
