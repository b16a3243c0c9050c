"""The dashboard: pages that a browser shows of a store, and the JSON that they are drawn from."""
