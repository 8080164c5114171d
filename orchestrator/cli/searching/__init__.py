"""Where a text or the shape of a key stands in a run, a bundle or a file."""
