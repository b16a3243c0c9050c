"""``wandb.plot``: charts as a table and the words that say how to draw it."""
