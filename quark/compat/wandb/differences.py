"""Where the shim does not do what W&B 0.31 does, and why. Part of ``docs/compat.md``.

The differential tests name the entry behind every observation that is not the same; an entry that
no observation shows any more fails them too.
"""

from __future__ import annotations

from quark.compat.wandb.difference import Difference as Difference
from quark.compat.wandb.media_differences import MEDIA_DIFFERENCES

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
        "`log(step=)` while a SummaryWriter is followed",
        "The step is ignored, and each call makes a row.",
        "It numbers no row either, but calls with the same step make one row.",
        "They belong together.",
        ("tensorboard / the_scripts_own_rows: history",),
    ),
    Difference(
        "`run.step` while a SummaryWriter is followed",
        "Counts the script's own rows.",
        "Counts all rows.",
        "It is the number of the open row.",
    ),
    Difference(
        "texts and hyperparameters of a SummaryWriter",
        "Left out.",
        "Texts are values of their tag; hyperparameters go into the config, unless it has them.",
        "They say what the run was.",
    ),
    Difference(
        "a SummaryWriter made before `wandb.init(sync_tensorboard=True)`",
        "Not followed.",
        "Followed from then on.",
        "What is written during the run belongs to it.",
    ),
    Difference(
        "several SummaryWriters without `root_logdir`",
        "All keys get their folder's name, if the second one is made within 10 seconds; rows come "
        "when the files are read.",
        "Keys of writers that begin to write before the second one is made get none; rows come "
        "when they are written.",
        "Nothing waits, and a key does not change during a run.",
    ),
    Difference(
        "histograms of a SummaryWriter with more than 512 ranges",
        "Left out.",
        "Neighbouring ranges are joined.",
        "It is what can be shown of them.",
    ),
    Difference(
        "`wandb.sklearn.plot_confusion_matrix`",
        "`Predicted` has the true class, `Actual` what was predicted.",
        "Each has what its name says; `true_labels=` and `pred_labels=` work.",
        "scikit-learn counts true classes by row.",
        ("sklearn / classifiers: matrix of two",),
    ),
    Difference(
        "`wandb.sklearn` with scikit-learn 1.6 and newer",
        "No silhouette is logged, and nothing of a model of exactly three features.",
        "Both are.",
        "W&B asks models for an attribute that is gone, and whether they are fitted by predicting.",
        (
            "sklearn / clusterers: silhouette",
            "sklearn / clusterers: silhouette without centres",
            "sklearn / clusterers: keys of all",
            "sklearn / clusterers: keys of a tree",
        ),
    ),
    Difference(
        "feature importances of a model that has none of one dimension",
        "A null is logged.",
        "Nothing is logged; a warning says why.",
        "It is no chart.",
        (
            "sklearn / classifiers: importances of three classes",
            "sklearn / classifiers: importances of none",
        ),
    ),
    Difference(
        "a second training with other parameters in one run, with xgboost, lightgbm or catboost",
        "`ConfigError` out of the callback.",
        "The config has the later parameters.",
        "Logging does not stop a training.",
    ),
    Difference(
        "`lightgbm.cv` with LightGBM 4.4 and newer",
        "`ValueError` out of the callback.",
        "Logs `valid_<metric>-mean` and `-stdv`, as with older ones.",
        "Logging does not stop a training.",
    ),
    Difference(
        "videos of `gymnasium` 1.0 and newer, and of Stable-Baselines3",
        "`monitor_gym=True` raises when `RecordVideo` is closed, or does not see the video.",
        "Logged when they are written.",
        "It is what the argument is for.",
    ),
    Difference(
        "`WANDB_CONFIG_PATHS`",
        "A `ValidationError`.",
        "Config files, separated by commas.",
        "It is what the documentation of W&B says of it.",
    ),
    *MEDIA_DIFFERENCES,
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
    Difference(
        "a sweep",
        "Kept by the server, which chooses each trial.",
        "Documents in the local store; each agent chooses the trial that it takes. The same `seed` "
        "gives the same trials, and one is drawn and kept if none is given.",
        "There is no server; any process can go on where another one stopped.",
    ),
    Difference(
        "`method: bayes`",
        "A Gaussian process.",
        "A tree-structured Parzen estimator, by Optuna, after 8 trials at random. A trial that "
        "failed counts as bad as the worst.",
        "It needs no SciPy, and takes every distribution.",
    ),
    Difference(
        "ending a trial of a function early, by hyperband or `CANCELED`",
        "An exception is raised into the thread, wherever it is.",
        "The next `log` of the run raises, and every one after it; the trial's run is `failed`.",
        "An exception out of nowhere can leave locks held and files half written.",
    ),
    Difference(
        "a trial whose process died",
        "Is `crashed`, and a grid leaves its combination out.",
        "Is lost, and a grid offers its combination again, three times at most.",
        "A machine that went away says nothing about the values.",
    ),
    Difference(
        "`WANDB_AGENT_DISABLE_FLAPPING=true` with a function",
        "The agent ends at the first failure.",
        "The agent does not end because of failures in the first minute.",
        "It is what the documentation of W&B says of it.",
    ),
    Difference(
        "a sweep's configuration that is not valid",
        "A warning, or an error of the server.",
        "`InvalidSettingError`, a `UsageError` and a `ValueError`, when the sweep is made; what is "
        "merely unknown is named in a warning.",
        "A mistake is found before the first trial.",
    ),
    Difference(
        "artifacts offline",
        "Kept for later: `wait`, `version` and what else a server says raise, `use_artifact`, "
        "`use_model` and the links too.",
        "Stored at once, in every mode; all of it works.",
        "The store is on this machine.",
    ),
    Difference(
        "the digest of an artifact that holds images or other media",
        "Depends on its encoders, and names files of the script by their own names.",
        "Depends on the encoders here; files are named by their content. Those of files, folders, "
        "references, tables and classes are W&B's.",
        "Both change with the version of an encoder anyway.",
    ),
    Difference(
        "`Artifact(digest_algorithm='XXH128')`",
        "Another digest.",
        "MD5, with a warning.",
        "Content is told apart by SHA-256 here.",
    ),
    Difference(
        "a file that is written while it is added to an artifact",
        "Copied as it is found.",
        "Read again, and after three times a `ValueError`.",
        "Half a checkpoint is no checkpoint.",
    ),
    Difference(
        "a reference to a web server that does not answer, or to a bucket",
        "An error of `requests`, boto3 or another client.",
        "Kept, with a warning: the URL stands for the content. Buckets are not looked into.",
        "An artifact is not lost for want of a network.",
    ),
    Difference(
        "`log_artifact(path)` without `name` for a file with other characters in its name",
        "`ValueError`.",
        "They become `_` in the name of the artifact.",
        "The name was not chosen by the script.",
    ),
    Difference(
        "aliases that look like versions (`v3`), and empty ones",
        "Left to the server.",
        "Left out; the former with a warning.",
        "A version has its own name always.",
    ),
    Difference(
        "`ttl` of an artifact",
        "Deleted by the server.",
        "Kept until `quark.catalog.removal.collect` is called.",
        "Nothing is deleted by itself here.",
    ),
    Difference(
        "a new name for a collection of artifacts",
        "Renames it.",
        "`ValueError`: its versions can be linked to a collection of that name.",
        "What used it is noted under its name.",
    ),
)
