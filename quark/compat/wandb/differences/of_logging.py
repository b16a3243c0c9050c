"""Rows, the summary and the config: what differs from W&B 0.31, and why."""

from __future__ import annotations

from quark.compat.wandb.differences.difference import Difference

LOGGING: tuple[Difference, ...] = (
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
        'a metric with `summary="none"` that the script sets in the summary',
        "Stays out of the summary.",
        "Is in the summary until the metric is logged again.",
        "A value that was set is a fact of the run.",
    ),
    Difference(
        "`first` of a metric that the script set in the summary before it was logged",
        "None.",
        "The first value that was logged.",
        "It is what the word says.",
    ),
    Difference(
        "several globs that fit one metric",
        "Any of them counts, not always the same.",
        "The one that was defined first counts.",
        "The same script gives the same summary.",
    ),
    Difference(
        "a step metric that was put into a row, under a glob with a summary",
        "Falls under the glob only once the script logs it itself.",
        "Falls under the glob.",
        "A reader of the run cannot tell the two apart.",
    ),
    Difference(
        "a summary metric in a run that is gone on with",
        "`min` and the like begin anew.",
        "They go on, over all rows of the run.",
        "It is one run.",
    ),
    Difference(
        "a dict logged below a key that was set as a dict in the summary",
        "The open run shows only what was logged; its file has both.",
        "Both are in the summary.",
        "Nothing that was set is lost.",
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
        "a whole float in the config of `init`",
        "Comes back as an integer: `200.0` as `200`.",
        "Stays a float.",
        "It is what the script gave; as numbers they are equal.",
    ),
)
