"""State changes of agent frameworks, read where the framework makes them; imports no framework."""
