"""The words behind `ritornello keys`, and where a user keeps keys and trust."""
