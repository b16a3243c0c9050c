"""Servers that tests start on this machine, and stop."""
