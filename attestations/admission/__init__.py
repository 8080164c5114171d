"""Whether an artifact may run: closed policies over verified facts, decided by a pure function."""
