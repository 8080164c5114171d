"""A new run from a recorded one: a replay that goes live where the program was changed."""
