"""Where inputs come from: the world, or the record of a run."""
