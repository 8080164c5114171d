"""The truth of one run and of the workspace: stores, the writer, locks and the check of it all.

This module imports no database: a verifier needs the port and the check only.
"""
