"""Ablations: which component of a recipe earns its place, from variants and seeds to verdicts with intervals."""
