"""The filters of ``Api().runs``, compared with a slow evaluator that knows no compiled tests."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import quark.compat.wandb as wandb
from quark.compat.wandb.api_filters import inside, read_filters

# -- the slow evaluator: MongoDB's manual, sentence by sentence ------------------------------------

FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}


def bracket(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return type(value).__name__


def same(a: Any, b: Any) -> bool:
    if bracket(a) != bracket(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return set(a) == set(b) and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


def fits(there: bool, value: Any, word: str, operand: Any, options: str = "") -> bool:
    """Say whether a field, which may not be there, passes one word."""
    each = [value, *value] if isinstance(value, list) else [value]
    if word == "$exists":
        return there == bool(operand)
    if word == "$ne":
        return not fits(there, value, "$eq", operand)
    if word == "$nin":
        return not fits(there, value, "$in", operand)
    if word == "$not":
        return not field_passes(there, value, operand)
    if word == "$in":
        return any(fits(there, value, "$eq", item) for item in operand)
    if word == "$all":
        return bool(operand) and all(fits(there, value, "$eq", item) for item in operand)
    if not there:
        return word == "$eq" and operand is None
    if word == "$eq":
        return any(same(item, operand) for item in each)
    if word == "$size":
        return isinstance(value, list) and len(value) == operand
    if word == "$regex":
        flags = sum(FLAGS[letter] for letter in options)
        return any(isinstance(item, str) and bool(re.search(operand, item, flags)) for item in each)
    found = False
    for item in each:
        if bracket(item) == bracket(operand) and bracket(item) in ("number", "str", "bool"):
            orders = {
                "$gt": item > operand,
                "$gte": item >= operand,
                "$lt": item < operand,
                "$lte": item <= operand,
            }
            found = found or orders[word]
    return found


def field_passes(there: bool, value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and any(key.startswith("$") for key in wanted):
        return all(
            fits(there, value, word, operand, wanted.get("$options", ""))
            for word, operand in wanted.items()
            if word != "$options"
        )
    return fits(there, value, "$eq", wanted)


def passes(document: dict[str, Any], filters: dict[str, Any]) -> bool:
    for word, wanted in filters.items():
        if word == "$and":
            fine = all(passes(document, part) for part in wanted)
        elif word == "$or":
            fine = any(passes(document, part) for part in wanted)
        elif word == "$nor":
            fine = not any(passes(document, part) for part in wanted)
        elif word == "$not":
            fine = not passes(document, wanted)
        else:
            value: Any = document
            there = True
            for part in word.split("."):
                there = there and isinstance(value, dict) and part in value
                value = value[part] if there else None
            fine = field_passes(there, value, wanted)
        if not fine:
            return False
    return True


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.0, 0.5, 1.0, float("inf")]),
    st.sampled_from(["", "a", "ab", "A\nb", "1"]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.just("x"), SCALARS))
DOCUMENTS = st.fixed_dictionaries(
    {}, optional={"a": VALUES, "b": VALUES, "c": st.fixed_dictionaries({}, optional={"d": VALUES})}
)
ORDERED = st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), SCALARS)
WORDS = st.one_of(
    ORDERED,
    st.tuples(st.sampled_from(["$eq", "$ne"]), VALUES),
    st.tuples(st.sampled_from(["$in", "$nin", "$all"]), st.lists(SCALARS, max_size=3)),
    st.tuples(st.just("$exists"), st.sampled_from([True, False, 0, 1])),
    st.tuples(st.just("$regex"), st.sampled_from(["a", "^a$", "B", "", "^b"])),
    st.tuples(st.just("$size"), st.integers(0, 3)),
)
CONDITIONS = st.lists(WORDS, min_size=1, max_size=3).map(dict)
WANTED = st.one_of(
    VALUES,
    CONDITIONS,
    CONDITIONS.map(lambda words: {"$not": words}),
    st.sampled_from(["i", "im", "s"]).map(lambda o: {"$regex": "^B", "$options": o}),
)
CLAUSES = st.dictionaries(st.sampled_from(["a", "b", "c.d", "c", "nothing"]), WANTED, max_size=2)
FILTERS = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        st.tuples(
            st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3)
        ).map(lambda pair: dict([pair])),
        inner.map(lambda part: {"$not": part}),
    ),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(DOCUMENTS, FILTERS)
def test_filters_say_what_the_slow_evaluator_says(
    document: dict[str, Any], filters: dict[str, Any]
) -> None:
    assert read_filters(filters)(lambda path: inside(document, path)) == passes(document, filters)


@pytest.mark.parametrize(
    "filters",
    [
        {"a": {"$near": 1}},
        {"$where": "x"},
        {"$or": []},
        {"$or": {"a": 1}},
        {"$or": [{"a": {"$near": 1}}]},
        {"$and": [3]},
        {"a": {"$in": 3}},
        {"a": {"$regex": "("}},
        {"a": {"$regex": "a", "$options": "q"}},
        {"a": {"$options": "i"}},
        {"a": {"$not": {"$near": 1}}},
        {"a": {"$elemMatch": 1}},
        {"created_at": {"$gt": "yesterday"}},
        ["a"],
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused_before_a_run_is_read(filters: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        wandb.Api().runs("p", filters=filters)


@pytest.mark.parametrize(
    ("document", "filters", "expected"),
    [
        ({"a": [{"k": 1}, {"k": 5}]}, {"a": {"$elemMatch": {"k": {"$gt": 3}}}}, True),
        ({"a": [1, 5]}, {"a": {"$elemMatch": {"$gt": 1, "$lt": 5}}}, False),
        ({"a": [1, 5]}, {"a": {"$gt": 1, "$lt": 5}}, True),
        ({"a": 7}, {"a": {"$mod": [4, 3]}}, True),
        ({"a": ["x", {"y": 2}]}, {"a.1.y": 2}, True),
        ({"a.b": 1, "a": {"b": 2}}, {"a.b": 1}, True),
        ({"a": "abc"}, {"a": re.compile("B", re.IGNORECASE)}, True),
        ({"a": "abc"}, {"a": {"$in": [re.compile("^b"), 1]}}, False),
        ({"a": True}, {"a": 1}, False),
    ],
    ids=str,
)
def test_the_corners(document: dict[str, Any], filters: Any, expected: bool) -> None:
    assert read_filters(filters)(lambda path: inside(document, path)) is expected
