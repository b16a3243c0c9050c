"""``wandb.sklearn``: charts of scikit-learn models, each logged as a table with its chart.

A function that is given something it cannot chart says so and logs nothing, as in W&B.
"""

from __future__ import annotations

from quark.compat.wandb.integration.sklearn.classifiers import (
    plot_calibration_curve,
    plot_class_proportions,
    plot_classifier,
    plot_confusion_matrix,
    plot_feature_importances,
    plot_precision_recall,
    plot_roc,
)
from quark.compat.wandb.integration.sklearn.clusterers import (
    plot_clusterer,
    plot_elbow_curve,
    plot_silhouette,
)
from quark.compat.wandb.integration.sklearn.models import plot_learning_curve, plot_summary_metrics
from quark.compat.wandb.integration.sklearn.regressors import (
    plot_outlier_candidates,
    plot_regressor,
    plot_residuals,
)

__all__ = [
    "plot_calibration_curve",
    "plot_class_proportions",
    "plot_classifier",
    "plot_clusterer",
    "plot_confusion_matrix",
    "plot_elbow_curve",
    "plot_feature_importances",
    "plot_learning_curve",
    "plot_outlier_candidates",
    "plot_precision_recall",
    "plot_regressor",
    "plot_residuals",
    "plot_roc",
    "plot_silhouette",
    "plot_summary_metrics",
]
