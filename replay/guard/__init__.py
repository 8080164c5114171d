"""What keeps a replay hermetic: every way out is refused or answered from the record."""
