"""A computed record against the recorded one: equal bytes, or a divergence that explains itself."""
