"""Judgement while a run goes on."""
