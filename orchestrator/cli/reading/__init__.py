"""Records and differences as text and pages."""
