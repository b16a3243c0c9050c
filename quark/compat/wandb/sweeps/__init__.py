"""Sweeps as W&B scripts see them, on top of :mod:`quark.sweeps`."""
