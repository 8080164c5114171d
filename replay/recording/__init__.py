"""How what happens becomes records: position, causes, commitment, and the tape they go to."""
