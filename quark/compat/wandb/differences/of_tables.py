"""Tables and charts: what differs from W&B 0.31, and why."""

from __future__ import annotations

from quark.compat.wandb.differences.difference import Difference

TABLES: tuple[Difference, ...] = (
    Difference(
        "a table that was changed after it was logged",
        "Logged again it has no effect, unless `log_mode='MUTABLE'`.",
        "Kept as it is at each `log`.",
        "What was logged is kept.",
        ("tables / logged: file fixed_10",),
    ),
    Difference(
        "a column declared with a class that has no type of its own (`dtype=wandb.Histogram`)",
        "Takes no value at all.",
        "Takes values of that class.",
        "That is what the declaration says.",
        ("tables / media: declared Histogram", "tables / media: declared Molecule"),
    ),
    Difference(
        "the file of a logged table",
        "Columns and data; media are the names of their classes, `datetime64[ns]` a number.",
        "Columns, data and their types; media refer to their files, moments are ISO texts.",
        "So it can be read back as what was logged.",
    ),
    Difference(
        "an incremental table in a resumed run",
        "Goes on with the increments of the earlier process.",
        "Begins anew with what the new process adds; the earlier rows stay where they are.",
        "A table is what the script has of it.",
    ),
    Difference(
        "`EvalTable`",
        "Written to Weave; refused offline.",
        "A table that also says which columns are inputs, outputs and scores.",
        "There is no other service.",
    ),
    Difference(
        "`pr_curve` and `roc_curve` with more than 10,000 points",
        "10,000 of them, chosen by chance.",
        "All of them.",
        "Losing points silently is no help.",
    ),
    Difference(
        "a table of more than 10,000 rows",
        "The run's file has the first 10,000, the artifact 200,000.",
        "All rows are kept.",
        "Losing rows silently is no help.",
        ("tables / logged: rows of large",),
    ),
    Difference(
        "videos of `gymnasium` 1.0 and newer, and of Stable-Baselines3",
        "`monitor_gym=True` raises when `RecordVideo` is closed, or does not see the video.",
        "Logged when they are written.",
        "It is what the argument is for.",
    ),
)
