"""Sweeps: which values a series of runs tries, and who runs which."""
