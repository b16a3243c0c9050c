"""Fixtures of tests whose artifacts a real service keeps."""

from tests.support.over_service import over_service, place, running

__all__ = ["over_service", "place", "running"]
