"""What came of replays, as bytes that other tools read: JUnit, SARIF, GitHub workflow commands.

Pure functions: outcomes in, bytes or lines out. Recorded text is hostile, so each format escapes it
by its own rules, and nothing steers a terminal, a parser or a workflow. Who writes the files and
reads the environment is the caller: the command, or a test runner.
"""
