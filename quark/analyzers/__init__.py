"""Judgement: from what was measured of a run to what is wrong with it, and what to try."""
