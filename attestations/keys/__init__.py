"""Who signs: keys for statements, heads and cosignatures, which are trusted, and how they end."""
