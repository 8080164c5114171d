"""Many runs at once, and their reports for other tools."""
