"""How a store is reached: the choice of store, and later the wire to a service."""
