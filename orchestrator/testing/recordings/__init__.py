"""Recorded runs as tests: the pytest plugin, one bundle for each test."""
