"""How what happens becomes records: position, causes, index, commitment, and the tape they go to."""
