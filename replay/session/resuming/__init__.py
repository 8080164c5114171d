"""A run that stopped goes on: a replay that goes live where its record ends."""
