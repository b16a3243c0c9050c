"""Versioned artifacts: what belongs to a project rather than to one run."""
