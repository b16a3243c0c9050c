"""Thresholds of the rules that the SDK guide does not name, one file a family."""
