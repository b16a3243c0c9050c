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
        "`resume=` of a run that another process has open",
        "Both write.",
        "Both write, with a warning; the other one ends the run.",
        "Rows of both are kept; one of them has to say how the run ended.",
    ),
    Difference(
        "`Api().run(...).history()` without `samples`",
        "500 rows at random.",
        "All rows; with `samples`, that many at even distances, and a line that says so.",
        "Reading is complete unless less is asked for.",
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
        "`WANDB_DISABLED`",
        "Ignored.",
        'Means `mode="disabled"`.',
        "Old scripts and libraries set it for that.",
    ),
    Difference(
        "colours and other control sequences that are printed",
        "In `output.log` as they are, but for carriage returns.",
        "Left out or carried out, as a terminal would: the line is what was to be seen. A display "
        "of several lines that repaints itself is kept once.",
        "They are not text, and a bar that was cleared is no line.",
        (
            "console / rewritten: kept",
            "console / progress_bars: kept",
            "console / colours: kept",
        ),
    ),
    Difference(
        "secrets that are printed",
        "Kept.",
        "Kept as `[redacted]`. A line is cut after 8,192 characters.",
        "What was printed by mistake shall not rest on a disk.",
        ("console / secrets: kept",),
    ),
    Difference(
        "`write_logs` with `console='off'`",
        "Not in `output.log`.",
        "There too.",
        "There is no other place where it could be read.",
        ("console / not_followed: kept",),
    ),
    Difference(
        "`console='redirect'`, `'wrap_raw'` and `'wrap_emu'`",
        "Three ways to follow the terminal; `redirect` hears writes to the file descriptor too.",
        "The same as `wrap`: what goes through `sys.stdout` and `sys.stderr` is kept, also by "
        "handlers made before `init`; what C code, child processes and `sys.stdout.buffer` write "
        "is not.",
        "Redirecting a descriptor costs a thread, and output when the process dies.",
    ),
    Difference(
        "a process that is ended by SIGTERM",
        "The latest rows are lost and there is no exit code.",
        "Every row is kept; the run is `interrupted` for the reason SIGTERM, with exit code 143, "
        "and `crashed` in the Api. The process dies as before, and handlers of the script's own "
        "count for more.",
        "Clusters end jobs so.",
        (
            "endings / terminated: history",
            "endings / terminated: summary",
            "endings / terminated: exit code of the run",
        ),
    ),
    Difference(
        "`os._exit` with a run open",
        "The latest rows are lost.",
        "Every row is kept; the run is `crashed` in the Api, as in W&B.",
        "The journal outlives the process.",
        ("endings / os_exit: history", "endings / os_exit: summary"),
    ),
    Difference(
        "`sys.exit(n)` in another thread",
        "Its code becomes the run's.",
        "The run ends with the code of the process.",
        "It ends that thread alone.",
        ("endings / exit_in_a_thread: exit code of the run",),
    ),
    Difference(
        "`run.dir`",
        "A folder.",
        "A folder of the same name that leads into the store; `run-<id>.wandb` beside it is a "
        "note, not a log.",
        "The run is in one place, and libraries still find its id where they look for it.",
    ),
    Difference(
        "`QUARK_STORAGE_DIR` beside `dir=`",
        "-",
        "The run is kept in `QUARK_STORAGE_DIR`, and `dir=` has the folder `wandb`. Without `dir=` "
        "and `WANDB_DIR` that is in `QUARK_STORAGE_DIR` too.",
        "So a whole site's scripts can be kept in one place without editing them.",
    ),
    Difference(
        "rows of several processes in one run",
        "Numbered by the server (`shared`) or by the process that opened the run (`attach`).",
        "Each process numbers its own. What they log at one step is one row, or two where both "
        "have a key; `step=` counts in `shared` too.",
        "There is nobody between the processes.",
    ),
    Difference(
        "who ends a shared run",
        "Every process, unless told otherwise by `x_primary` or `x_update_finish_state`.",
        "The process that started it, or the one with `x_primary=True`.",
        "A worker that is done early does not end the training.",
    ),
    Difference(
        "unpickling a run in its own process",
        "Raises.",
        "Gives the same object; a run that is gone comes back as a disabled one.",
        "A checkpoint that holds a logger can be loaded again.",
    ),
    Difference(
        "a whole float in the config of `init`",
        "Comes back as an integer: `200.0` as `200`.",
        "Stays a float.",
        "It is what the script gave; as numbers they are equal.",
    ),
    Difference(
        "`WANDB_CONFIG_PATHS`",
        "A `ValidationError`.",
        "Config files, separated by commas.",
        "It is what the documentation of W&B says of it.",
    ),
)
