"""Names, parameters and sizes that nobody means: every view answers or refuses, and none fails."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quark import jsonio
from quark.dashboard import views
from quark.dashboard.asked import Asked
from quark.dashboard.routes import VIEWS
from quark.errors import QuarkError, SchemaValidationError
from quark.storage.embedded import EmbeddedStore
from tests.dashboard.asking import ask, place_of
from tests.storage.building import batch, losses, record, run_record

#: Names that programs trip over, as parts of a configuration or a summary.
ODD_NAMES = (
    *("__proto__", "constructor", "toString", "", ".", "a.", ".a", "..", "a/b/../c", "a//b", " "),
    *("\u202etxt", "new\nline", "x" * 10_000, "config.", "summary.", "name", "$&", "%00", "\x00"),
)
#: Values of parameters that somebody tries.
ODD_VALUES = (
    *("0", "-1", "1.5", "1e400", "nan", "-inf", "1e308", "9" * 400, "9223372036854775808", "1_0"),
    *("\x00", "\ufffd", "__proto__", "../../etc/passwd", "(" * 1000, '"' * 1999, "\\" * 1999),
    *("*", "-" * 1000, "step", "time", "epoch", "key:loss", "key:", "true", "null", "[]", "v-1"),
    *("created>9999-12-31T23:59:59-23:59", "created<0001-01-01T00:00:00+23:59", "created=1e9"),
    *(
        "duration>" + "9" * 400,
        "created>" + "9" * 300 + "d",
        "config.lr<nan",
        "summary.a~" + "a," * 900,
    ),
    *("a:b:c", "!~", "loss<=nan", "train/loss<1e400", "x" * 20_000, "config.__proto__", "id:\x00"),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / ".quark")
    for number in range(2):
        odd = dict.fromkeys(ODD_NAMES, number + 0.5)
        content = (
            run_record(config={**odd, "inner": dict(odd)}, summary=dict(odd)),
            losses(2, [1.0, 0.5]),
            record(4, "console_line", stream="stdout", text="\x1b[31m" + "x" * 3000),
        )
        store.append(batch(1, 4, *content, run_id=f"run-{number}"))
    yield store
    store.close()


def test_a_runs_names_never_keep_the_table_of_runs_from_being_shown(store: EmbeddedStore) -> None:
    """One summary with a key such as "acc." must not close the page of a whole project."""
    table = ask(store, "/runs", project="vision")
    columns = ask(store, "/run-columns", project="vision")["found"]

    assert {row["id"] for row in table["rows"]} == {"run-0", "run-1"}
    named = {column["id"] for column in columns}
    assert {"config.__proto__", "summary.constructor", "summary..", "config.a."} <= named
    for column in named:  # whatever a page offers can be asked for
        shown = ask(store, "/runs", project="vision", column=column, sort=column, group=column)
        assert shown["rows"], column
    with pytest.raises(SchemaValidationError, match=r"There is no field 'config\.'"):
        ask(store, "/runs", project="vision", column="config.")


def test_no_parameter_makes_a_view_fail(store: EmbeddedStore) -> None:
    names = sorted(
        set().union(
            *(
                re.findall(r'asked\.\w+\(\s*"(\w+)"', path.read_text("utf-8"))
                for path in Path(views.__path__[0]).glob("*.py")
            )
        )
    )
    assert {"buckets", "filter", "from", "key", "run"} <= set(names)
    chance = random.Random(8)
    place, refused, answered = place_of(store, may_write=False), 0, 0
    for view in VIEWS:
        if view.method != "GET":
            continue
        usual = [("run", "run-0"), ("run", "run-1"), ("key", "loss"), ("project", "vision")]
        tried = [[(name, value) for name in names] for value in ODD_VALUES]
        tried += [
            [
                *usual,
                (name, chance.choice(ODD_VALUES)),
                (chance.choice(names), chance.choice(ODD_VALUES)),
            ]
            for name in names
        ]
        for query in tried:
            asked: list[tuple[str, str]] = query
            try:
                answer: Any = view.answer(place, Asked({"run_id": "run-0"}, asked))
                if isinstance(answer, dict):
                    jsonio.raw_dumps(answer)
                answered += 1
            except QuarkError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"{view.path} with {asked[-2:]!r}: {error!r}") from error
    assert refused > 100
    assert answered > 100


def test_an_error_does_not_repeat_all_that_was_sent() -> None:
    for name in ("choice", "integer", "number"):
        more: dict[str, tuple[Any, ...]] = {"choice": (["a"],), "integer": (1, 1, 9), "number": ()}
        with pytest.raises(SchemaValidationError) as refused:
            getattr(Asked({}, [("x", "z" * 20_000)]), name)("x", *more[name])
        assert len(str(refused.value)) < 300
