"""What stands before the routes: limits, headers, and how often somebody may fail."""
