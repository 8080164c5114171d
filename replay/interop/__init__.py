"""Recordings of other tools, read as runs that were observed and cannot be replayed.

What another tool wrote down is what it saw: some exchanges, in the order of its file. No schedule,
no clock, no decision of the program is in it, so nothing can be computed again from it. A run made
here says so in its first record (``observed``), and a replay of it never says ``identical``.
Foreign files are hostile: bounded in size, depth and number, and never executed.
"""
