"""Child processes as a conversation: what the program says to them, and what they answer."""
