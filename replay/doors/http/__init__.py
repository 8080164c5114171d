"""HTTP at the transports of httpx and httpx2, for clients with a loop and without."""
