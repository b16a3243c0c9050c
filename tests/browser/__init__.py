"""The dashboard in a real browser, over runs that real trainings wrote."""
