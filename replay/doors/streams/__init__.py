"""The standard streams of a program."""
