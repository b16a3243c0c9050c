"""Finders that go while another thread goes through them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from quark._import_finders import has_finder, remove_from_path
from quark.live.after_import import AfterImport


@pytest.fixture(autouse=True)
def everything_is_left_as_it_was() -> Iterator[None]:
    finders, path = list(sys.meta_path), list(sys.path)
    yield
    assert (sys.meta_path, sys.path) == (finders, path)


def test_who_goes_through_the_finders_meanwhile_misses_none() -> None:
    others = list(sys.meta_path)
    waiting = AfterImport("a_module_that_is_never_imported", lambda: None)
    waiting.install()
    under_way = iter(sys.meta_path)
    assert next(under_way) is waiting

    waiting.remove()

    assert list(under_way) == others
    assert not has_finder(waiting)
    waiting.remove()  # again: nothing

    path = list(sys.path)
    sys.path.insert(0, "/no/such/folder")
    under_way_there = iter(sys.path)
    next(under_way_there)
    remove_from_path("/no/such/folder")
    assert list(under_way_there) == path
