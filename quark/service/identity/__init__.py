"""Who may do what: workspaces, users, roles, user keys, and the log of what became of them."""
