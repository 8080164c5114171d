"""Two recorded runs side by side, aligned by causal identity."""
