"""The report that every run ends with."""
