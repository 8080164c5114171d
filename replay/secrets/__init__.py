"""Secrets: which values they are, what the record shows instead, and how it is put there."""
