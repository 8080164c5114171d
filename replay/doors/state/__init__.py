"""State that a program or its framework keeps, read and changed on record."""
