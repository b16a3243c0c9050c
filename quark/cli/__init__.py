"""The ``quark`` command."""
