"""What is said of which bytes: in-toto statements, strict DSSE envelopes, and our predicates."""
