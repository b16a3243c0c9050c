"""Other trackers' interfaces, backed by Quark: one import changes, the script stays."""
