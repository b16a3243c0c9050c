"""The grammar of names: what is taken, what is refused and what the refusal says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from quark import naming
from quark.errors import SchemaValidationError
from quark.naming import (
    MetricName,
    check_event_type,
    check_project_name,
    check_run_id,
    check_segment,
    check_tag,
    split_artifact_name,
    split_key,
)

SEGMENT = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)


@pytest.mark.parametrize(
    ("metric", "namespace", "expected"),
    [
        ("loss", None, ("loss", None, "loss")),
        ("train/loss", None, ("train/loss", "train", "loss")),
        ("a/b/c", None, ("a/b/c", "a/b", "c")),
        ("f1_macro", "my_eval", ("my_eval/f1_macro", "my_eval", "f1_macro")),
        ("latency", "serving/shadow", ("serving/shadow/latency", "serving/shadow", "latency")),
        ("0/top-1.5", None, ("0/top-1.5", "0", "top-1.5")),
        ("a" * 512, None, ("a" * 512, None, "a" * 512)),
    ],
)
def test_a_metric_or_artifact_name_is_split_into_namespace_and_name(
    metric: str, namespace: str | None, expected: tuple[str, str | None, str]
) -> None:
    assert split_key(metric, namespace) == MetricName(*expected)
    assert split_artifact_name(metric, namespace) == MetricName(*expected)
    assert split_key(*expected[:1]) == MetricName(*expected)


@pytest.mark.parametrize(
    ("metric", "namespace", "message"),
    [
        ("", None, "segment '' must start with a letter or digit"),
        ("train//loss", None, "segment ''"),
        ("/loss", None, "segment ''"),
        ("loss/", None, "segment ''"),
        ("train/ loss", None, "segment ' loss'"),
        ("_private", None, "segment '_private'"),
        ("train/.hidden", None, "segment '.hidden'"),
        ("../up", None, "segment '..'"),
        ("loss\n", None, r"segment 'loss\n'"),
        ("größe", None, "segment 'größe'"),
        ("loss٣", None, "segment 'loss٣'"),
        ("loss", "", "segment ''"),
        ("loss", "a b", "segment 'a b'"),
        ("train/loss", "train", "either the full key"),
        ("a" * 513, None, "has 513 characters, and at most 512"),
        (7, None, "7 is not valid: it must be a string, not int"),
        (["loss"], None, "must be a string, not list"),
        ("loss", 3, "3 is not valid: it must be a string, not int"),
        (None, None, "must be a string, not NoneType"),
    ],
)
def test_a_key_outside_the_grammar_is_refused_with_the_value_the_segment_and_the_rule(
    metric: str, namespace: str | None, message: str
) -> None:
    with pytest.raises(SchemaValidationError) as metric_error:
        split_key(metric, namespace)
    with pytest.raises(SchemaValidationError) as artifact_error:
        split_artifact_name(metric, namespace)

    assert message in str(metric_error.value)
    assert str(metric_error.value).startswith("Metric key ")
    assert str(artifact_error.value).startswith("Artifact name ")
    assert len(str(metric_error.value)) < 500


def test_the_message_is_the_one_of_the_style_guide() -> None:
    with pytest.raises(SchemaValidationError) as raised:
        split_key("train/loss rate")

    assert str(raised.value) == (
        "Metric key 'train/loss rate' is not valid: segment 'loss rate' must start with a letter "
        "or digit and hold only letters, digits, '.', '_' or '-'."
    )


@given(st.lists(SEGMENT, min_size=1, max_size=6))
def test_every_way_to_give_a_key_means_the_same(segments: list[str]) -> None:
    key = "/".join(segments)
    name = split_key(key)

    assert name.key == key
    assert split_key(name.name, name.namespace) == name
    assert key == (f"{name.namespace}/{name.name}" if name.namespace else name.name)


def test_repeated_keys_are_split_once_and_the_memory_for_them_is_bounded() -> None:
    first = split_key("cached/key")

    assert split_key("cached/key") is first
    assert naming._split_metric.cache_info().maxsize == naming._CACHED_KEYS
    assert naming._CACHED_KEYS > 10_000


def test_the_limit_of_a_key_is_what_stores_take() -> None:
    from quark.storage.model import MAX_KEY_BYTES

    assert naming.MAX_KEY_BYTES == MAX_KEY_BYTES


ACCEPTED: list[tuple[Callable[[str], str], list[str]]] = [
    (check_event_type, ["a", "run_started", "user.log/v2", "x-1"]),
    (check_tag, ["baseline", "größe", "a b", "x" * 256, " padded"]),
    (check_project_name, ["p", "image classifier (v2)", "größe", "a:b", "x" * 256]),
    (check_run_id, ["run_1", "my run", "a.b", "_x", "x" * 128, "größe"]),
]
REFUSED: list[tuple[Callable[[str], str], list[object]]] = [
    (check_event_type, ["", "A", "1a", "_a", "a b", "a\n", "é", None, 3]),
    (check_tag, ["", "  ", "\n", "x" * 257, None, 3, "\ud800"]),
    (check_project_name, ["", " ", "a/b", " a", "a ", "a\nb", "x" * 257, None, 3, "\ud800"]),
    (
        check_run_id,
        ["", " ", ".", "..", "../x", "a/b", "a\\b", "a:b", "a?", ".hid", "x.", "x" * 129, None],
    ),
]


@pytest.mark.parametrize(("check", "values"), ACCEPTED)
def test_good_names_come_back_unchanged(check: Callable[[str], str], values: list[str]) -> None:
    assert [check(value) for value in values] == values


@pytest.mark.parametrize(("check", "values"), REFUSED)
def test_bad_names_are_refused_and_the_message_shows_them(
    check: Callable[[str], str], values: list[str]
) -> None:
    for value in values:
        with pytest.raises(SchemaValidationError, match="is not valid: it ") as raised:
            check(value)
        assert repr(value)[:20] in str(raised.value)


def test_one_segment_is_what_an_artifact_type_is() -> None:
    assert check_segment("Artifact type", "histogram") == "histogram"
    with pytest.raises(SchemaValidationError, match="Artifact type 'a/b' is not valid"):
        check_segment("Artifact type", "a/b")
