"""``wandb.sklearn``: the tables of its charts, and what it charts not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs, make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB

X, Y = make_classification(
    n_samples=120, n_features=4, n_informative=3, n_redundant=1, n_classes=2, random_state=0
)
X3, Y3 = make_classification(
    n_samples=150, n_features=5, n_informative=4, n_redundant=1, n_classes=3, random_state=1
)
XR, YR = make_regression(n_samples=80, n_features=4, noise=5.0, random_state=2)
XB, YB = make_blobs(n_samples=60, centers=3, random_state=3)

CLASSIFIER = LogisticRegression().fit(X, Y)
THREE = LogisticRegression(max_iter=500).fit(X3, Y3)
REGRESSOR = LinearRegression().fit(XR, YR)
CLUSTERER = KMeans(3, n_init=3, random_state=0).fit(XB)


def charted(wandb: Any, plot: Callable[[], Any], without: str = "") -> dict[str, Any]:
    """Return each chart's specification, columns and rows, as they were to be logged."""
    found: dict[str, Any] = {}
    log = wandb.log

    def take(values: dict[str, Any], **_: Any) -> None:
        for key, chart in values.items():
            if chart is None:
                found[key] = None
                continue
            spec, table = chart.spec, chart.table
            rows = [
                [
                    plain(cell)
                    for name, cell in zip(table.columns, row, strict=True)
                    if name != without
                ]
                for row in table.data
            ]
            name = spec.name if hasattr(spec, "name") else spec.spec_name
            found[key] = [name, list(table.columns), rows]

    wandb.log = take
    np.random.seed(0)
    try:
        plot()
    finally:
        wandb.log = log
    return found


def plain(cell: Any) -> Any:
    cell = cell.item() if hasattr(cell, "item") else cell
    return round(cell, 9) if isinstance(cell, float) else cell


def behaviour_classifiers(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    plots, probabilities = wandb.sklearn, CLASSIFIER.predict_proba(X)
    predicted = CLASSIFIER.predict(X)
    see("roc", lambda: charted(wandb, lambda: plots.plot_roc(Y, probabilities, ["a", "b"])))
    see("roc of numbers", lambda: charted(wandb, lambda: plots.plot_roc(Y, probabilities)))
    see(
        "precision and recall",
        lambda: charted(wandb, lambda: plots.plot_precision_recall(Y, probabilities, ["a", "b"])),
    )
    see("importances", lambda: charted(wandb, lambda: plots.plot_feature_importances(CLASSIFIER)))
    see(
        "named importances",
        lambda: charted(
            wandb, lambda: plots.plot_feature_importances(CLASSIFIER, ["w", "x", "y", "z"])
        ),
    )
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    see("of a forest", lambda: charted(wandb, lambda: plots.plot_feature_importances(forest)))
    see(
        "importances of three classes",
        lambda: charted(wandb, lambda: plots.plot_feature_importances(THREE)),
    )
    see(
        "importances of none",
        lambda: charted(wandb, lambda: plots.plot_feature_importances(GaussianNB().fit(X, Y))),
    )
    see("proportions", lambda: charted(wandb, lambda: plots.plot_class_proportions(Y3, Y3[:50])))
    see(
        "named proportions",
        lambda: charted(wandb, lambda: plots.plot_class_proportions(Y3, Y3[:50], ["a", "b", "c"])),
    )
    see(
        "summary",
        lambda: charted(wandb, lambda: plots.plot_summary_metrics(THREE, X3, Y3, X3, Y3)),
    )
    see(
        "calibration",
        lambda: charted(wandb, lambda: plots.plot_calibration_curve(CLASSIFIER, X, Y, "L")),
    )
    see(
        "calibration of three classes",
        lambda: charted(wandb, lambda: plots.plot_calibration_curve(THREE, X3, Y3)),
    )
    see(
        "learning curve",
        lambda: charted(wandb, lambda: plots.plot_learning_curve(CLASSIFIER, X, Y, cv=3)),
    )
    see(
        "matrix of two",
        lambda: charted(wandb, lambda: plots.plot_confusion_matrix(Y, 1 - predicted)),
    )
    see(
        "keys of all",
        lambda: sorted(
            charted(
                wandb,
                lambda: plots.plot_classifier(
                    CLASSIFIER,
                    X,
                    X,
                    Y,
                    Y,
                    predicted,
                    probabilities,
                    ["a", "b"],
                    log_learning_curve=True,
                ),
            )
        ),
    )
    return run


def behaviour_regressors(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    plots = wandb.sklearn
    see(
        "summary",
        lambda: charted(wandb, lambda: plots.plot_summary_metrics(REGRESSOR, XR, YR, XR, YR)),
    )
    see("residuals", lambda: charted(wandb, lambda: plots.plot_residuals(REGRESSOR, XR, YR)))
    see(
        "outliers", lambda: charted(wandb, lambda: plots.plot_outlier_candidates(REGRESSOR, XR, YR))
    )
    see(
        "learning curve",
        lambda: charted(wandb, lambda: plots.plot_learning_curve(REGRESSOR, XR, YR, cv=3)),
    )
    see(
        "keys of all",
        lambda: sorted(charted(wandb, lambda: plots.plot_regressor(REGRESSOR, XR, XR, YR, YR))),
    )
    return run


def behaviour_clusterers(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    plots, found = wandb.sklearn, CLUSTERER.labels_
    see("silhouette", lambda: charted(wandb, lambda: plots.plot_silhouette(CLUSTERER, XB, found)))
    see(
        "elbow",
        lambda: charted(
            wandb, lambda: plots.plot_elbow_curve(CLUSTERER, XB), without="clustering_time"
        ),
    )
    see(
        "elbow of ranges",
        lambda: charted(
            wandb, lambda: plots.plot_elbow_curve(CLUSTERER, XB, [4, 2]), without="clustering_time"
        ),
    )
    tree = AgglomerativeClustering(3).fit(XB)
    see(
        "silhouette without centres",
        lambda: charted(wandb, lambda: plots.plot_silhouette(tree, XB, tree.labels_, kmeans=False)),
    )
    see(
        "keys of all",
        lambda: sorted(charted(wandb, lambda: plots.plot_clusterer(CLUSTERER, XB, found))),
    )
    see(
        "keys of a tree",
        lambda: sorted(charted(wandb, lambda: plots.plot_clusterer(tree, XB, tree.labels_))),
    )
    return run


def behaviour_refusals(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    plots, gap = wandb.sklearn, np.where(X > 2, np.nan, X)
    words = np.array([["a", "b"], ["c", "d"]], dtype=object)
    see(
        "missing values",
        lambda: charted(wandb, lambda: plots.plot_learning_curve(CLASSIFIER, gap, Y)),
    )
    see("no data", lambda: charted(wandb, lambda: plots.plot_learning_curve(CLASSIFIER, X, None)))
    see(
        "words",
        lambda: charted(wandb, lambda: plots.plot_outlier_candidates(REGRESSOR, words, [1, 2])),
    )
    see(
        "not fitted",
        lambda: charted(
            wandb, lambda: plots.plot_summary_metrics(RandomForestRegressor(), XR, YR, XR, YR)
        ),
    )
    see("of another kind", lambda: charted(wandb, lambda: plots.plot_residuals(CLASSIFIER, X, Y)))
    see("no clusterer", lambda: charted(wandb, lambda: plots.plot_silhouette(CLASSIFIER, X, Y)))
    see("nothing to count", lambda: charted(wandb, lambda: plots.plot_elbow_curve(CLASSIFIER, X)))
    return run
