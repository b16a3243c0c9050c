"""Delivery: everything that is logged goes through a journal, and from there into a store."""
