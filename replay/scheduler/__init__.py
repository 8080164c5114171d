"""One schedule for the threads of a program and the event loops they run.

Exactly one participant runs at a time; when none can run, one timer fires or one input enters. The
room knows asyncio and threads; it knows no clock, no file, no network and no record format. What
it needs of the run (inputs, and somebody who is told of tasks) it states in
:mod:`replay.scheduler.ports`.
"""
