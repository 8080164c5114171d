"""A run from its first record to its seal: recording, replaying, and the report about it."""
