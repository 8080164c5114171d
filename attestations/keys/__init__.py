"""Who signs: attestation keys and log keys, their files, which are trusted, and how they end."""
