"""LLM workflows on the engine, and the command on top of them."""
