"""The report that every run ends with: what happened, what is wrong, what to try.

It is printed at the end of a run, short enough for one screen if the run is healthy, and kept in
the run's folder as ``report.md`` and ``report.json``.
"""
