"""What can have happened in a run, and its exact bytes.

The one invariant of this room: a record's header bytes decide its identity, and a payload's bytes
decide its commitment; nothing is ever re-encoded to be verified. The room knows no clock, no file,
no network and no loop.
"""
