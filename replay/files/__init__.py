"""What a program reads and writes on disk: contents as inputs, files it writes compared at close.

The one invariant: in a replay the overlay and the program's code are all of the disk that is
touched.
"""
