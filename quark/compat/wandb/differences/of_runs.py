"""Runs, their places and how they are gone on with: what differs from W&B 0.31, and why."""

from __future__ import annotations

from quark.compat.wandb.differences.difference import Difference

RUNS: tuple[Difference, ...] = (
    Difference(
        "`run.name` offline",
        "None.",
        "A name such as `quiet-river-12`, as online.",
        "There is no server that would give it one later.",
        ("lifecycle / defaults: name",),
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
        "`WANDB_CONFIG_PATHS`",
        "A `ValidationError`.",
        "Config files, separated by commas.",
        "It is what the documentation of W&B says of it.",
    ),
    Difference(
        "what `save` leaves in the run's folder",
        "Links, which lead nowhere once a file is moved or removed.",
        "Copies, made in the background if they are large; with `live` also of files that come "
        "later and fit the pattern. A folder is kept with all that is in it. A file that is in the "
        "run's folder already stays where it is.",
        "Nothing that was saved is lost.",
        ("saving / save_paths: folder", "saving / save_paths: stars"),
    ),
    Difference(
        "`run.save()` without a file",
        "Removed: `TypeError`.",
        "Does nothing, with one warning.",
        "Old scripts called it to have a new name of the run kept.",
    ),
    Difference(
        "copies of `wandb.config`, and `pickle` and `torch.save` of it",
        "Copies raise; what was pickled cannot be loaded.",
        "A config with the same values that belongs to no run.",
        "A checkpoint that holds the config can be loaded again.",
    ),
    Difference(
        "a `fork_from` or `resume_from` that is no text",
        "Ignored.",
        "Refused, as a malformed text is.",
        "A run that was to be a fork and is not one is found out too late.",
        ("branching / moments: number",),
    ),
    Difference(
        "`resume_from`",
        "The server keeps the run as it was before.",
        "So it is kept here, as a run of its own: `<id>~1`, `<id>~2` and so on. It is not among "
        "`Api().runs`, but `Api().run` has it.",
        "Nothing that was logged is lost.",
    ),
    Difference(
        "`fork_from` of a step that the run has not reached",
        "Refused by the server.",
        "The fork has all rows, and its next one is that after the step.",
        "A run that was killed may end before the step of its checkpoint.",
    ),
)
