"""What may run: the command line of foreign runs, policies, and their decisions."""
