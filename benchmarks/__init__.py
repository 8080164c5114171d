"""Benchmarks: what the engine costs, as ratios to the bare work, measured in turn in one run."""
