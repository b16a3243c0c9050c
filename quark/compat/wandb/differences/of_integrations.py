"""Callbacks and patches for other libraries: what differs from W&B 0.31, and why."""

from __future__ import annotations

from quark.compat.wandb.differences.difference import Difference

INTEGRATIONS: tuple[Difference, ...] = (
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
)
