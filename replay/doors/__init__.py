"""Where nondeterminism enters a run: each sort of it through one door.

The one invariant: what comes in through a door is either recorded or taken from the record.
"""
