"""State as a pure fold of the log: what a run looked like after any of its records.

The one invariant: a state follows from the records alone, and folding in two steps gives what
folding in one gives. The room knows no store, no clock and no file.
"""
