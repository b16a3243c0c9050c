"""Backups of a service: everything that it keeps, as it was while the service went on.

A backup is a folder. ``backup.json`` is written last, so a folder without it is no backup.
"""
