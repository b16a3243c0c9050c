"""Where the shim does not do what W&B 0.31 does, and why. Part of ``docs/compat.md``.

The differential tests name the entry behind every observation that is not the same; an entry that
no observation shows any more fails them too.
"""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """One difference; ``shown_by`` are the observations of the differential tests that show it."""

    name: str
    wandb: str
    here: str
    reason: str
    shown_by: tuple[str, ...] = ()


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "a row below the open step",
        "Dropped, with a warning.",
        "Kept at its own step, with one warning; `run.step` and the summary stay as they are.",
        "Losing a row is the complaint that users of W&B make most.",
        ("log / late: history",),
    ),
    Difference(
        "a value that is no JSON",
        "`TypeError` out of `log`, `config` or `summary`.",
        "Kept as its text, with one warning for its type.",
        "Logging does not stop a training.",
        (
            "log / foreign_values: log object",
            "log / foreign_values: log range",
            "log / foreign_values: log dtype",
            "log / foreign_values: log namespace",
            "log / foreign_values: value of object",
            "log / foreign_values: value of range",
            "log / foreign_values: value of dtype",
            "log / foreign_values: value of namespace",
            "summary / missing: object",
            "config / values: set object",
            "config / values: value of object",
        ),
    ),
    Difference(
        "a generator",
        "Used up, and kept as a list.",
        "Kept as its text.",
        "It belongs to the script, which may still want it.",
        ("log / foreign_values: value of generator",),
    ),
    Difference(
        "NaN set in the summary",
        "Removes the key.",
        "Kept as NaN.",
        "A number that was set is a fact of the run.",
        ("summary / missing: nan",),
    ),
    Difference(
        "`in` and `len` on the summary",
        "Raise.",
        "Work.",
        "Scripts are written as if they did.",
        ("summary / missing: contains", "summary / missing: length"),
    ),
    Difference(
        '`define_metric(summary="best")` and `goal=`',
        "Removed: `Error`, `TypeError`.",
        "Work: the summary has `best`, the lowest or, with `goal='maximize'`, the highest value.",
        "Released libraries still pass them.",
        ("summary / bad_definitions: best", "summary / bad_definitions: goal"),
    ),
    Difference(
        "`run.name` offline",
        "None.",
        "A name such as `quiet-river-12`, as online.",
        "There is no server that would give it one later.",
        ("lifecycle / defaults: name",),
    ),
    Difference(
        "the summary before a row is closed",
        "Shows the values of closed rows.",
        "Shows a value as soon as it is logged; `min` and the like count every call.",
        "Nothing is held back that a crash could take.",
    ),
    Difference(
        "the summary of a finished run",
        "Empty.",
        "Can still be read.",
        "It costs nothing and is what people try.",
    ),
    Difference(
        "`log({})`",
        "Leaves a row without values in the history.",
        "Closes the row; a row without values is not stored.",
        "It says nothing.",
    ),
    Difference(
        "NaN and the infinities in lists",
        "Kept as numbers.",
        "Read back as the strings `NaN`, `Infinity` and `-Infinity`; as values of a key they are "
        "numbers.",
        "JSON has no word for them.",
    ),
    Difference(
        "a dotted key beside a nested dict",
        '`{"a.b": 1}` and `{"a": {"b": 1}}` are two keys.',
        "One key, `a.b`, in the history; two in the summary of the open run.",
        "A key is a name, not a path.",
    ),
    Difference(
        "a known `id` without `resume=`",
        "Overwrites the run online; a second folder offline.",
        "Goes on with the run, with a warning.",
        "Nothing that was logged is lost.",
    ),
    Difference(
        "the environment",
        "Read once per process.",
        "Read at every `init`.",
        "A script that sets a variable expects it to count.",
    ),
    Difference(
        "`WANDB_DISABLED`",
        "Ignored.",
        'Means `mode="disabled"`.',
        "Old scripts and libraries set it for that.",
    ),
    Difference(
        "`QUARK_STORAGE_DIR` beside `dir=`",
        "-",
        "`QUARK_STORAGE_DIR` counts.",
        "So a whole site's scripts can be kept in one place without editing them.",
    ),
)
