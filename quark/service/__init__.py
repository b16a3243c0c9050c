"""The service: one place where a team keeps its runs. Started by ``quark serve``."""
