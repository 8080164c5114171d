"""Pure readings of the bytes of an exchange as prompts, responses and tool events; no SDK."""
