# ruff: noqa: N803 - X is what scikit-learn calls samples
"""Charts of clusterers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb import term
from quark.compat.wandb.integration.requirement import library
from quark.compat.wandb.integration.sklearn.checks import (
    are_given,
    is_fitted,
    is_kind,
    limited,
    log_chart,
)

_base: Any = library("sklearn.base", integration="sklearn")
_cluster: Any = library("sklearn.cluster", integration="sklearn")
_metrics: Any = library("sklearn.metrics", integration="sklearn")

#: Between two clusters of a silhouette.
_GAP = 10


def plot_clusterer(
    model: Any,
    X_train: Any,
    cluster_labels: Any,
    labels: Any = None,
    model_name: str = "Clusterer",
) -> None:
    """Log the silhouette of a fitted clusterer, and of ``KMeans`` the elbow curve too.

    Args:
        model: The clusterer.
        X_train: The samples.
        cluster_labels: The number of the cluster of each sample.
        labels: Not needed.
        model_name: Not needed.
    """
    by_means = isinstance(model, _cluster.KMeans)
    if by_means:
        plot_elbow_curve(model, X_train)
    plot_silhouette(model, X_train, cluster_labels, labels=labels, kmeans=by_means)


def plot_elbow_curve(
    clusterer: Any = None,
    X: Any = None,
    cluster_ranges: Iterable[int] | None = None,
    n_jobs: int = 1,
    show_cluster_time: bool = True,
) -> None:
    """Log ``elbow_curve``: the error of copies of ``clusterer`` with more and more clusters.

    Args:
        clusterer: A fitted one that has ``n_clusters``.
        X: The samples.
        cluster_ranges: How many clusters to try; without it 1, 3, 5, 7 and 9.
        n_jobs: Accepted; one is fitted after the other, so that the times are comparable.
        show_cluster_time: Accepted; ``clustering_time`` in seconds is always there.
    """
    if not hasattr(clusterer, "n_clusters"):
        term.termlog("there is no n_clusters to change, so there is no elbow curve.")
        return
    if not (are_given(X=X) and is_fitted(clusterer)):
        return
    rows = []
    for count in range(1, 10, 2) if cluster_ranges is None else sorted(cluster_ranges):
        started = SYSTEM_CLOCK.monotonic()
        copy = _base.clone(clusterer)
        copy.n_clusters = count
        error = abs(float(copy.fit(X).score(X)))
        rows.append([count, error, SYSTEM_CLOCK.monotonic() - started])
    columns = ("cluster_ranges", "errors", "clustering_time")
    log_chart("elbow_curve", "wandb/elbow/v1", columns, rows)


def plot_silhouette(
    clusterer: Any = None,
    X: Any = None,
    cluster_labels: Any = None,
    labels: Any = None,
    metric: str = "euclidean",
    kmeans: bool = True,
) -> None:
    """Log ``silhouette_plot``: how well each sample lies in its cluster, from -1 to 1.

    Args:
        clusterer: A fitted one.
        X: The samples, of which the first two columns are shown.
        cluster_labels: The number of the cluster of each sample.
        labels: Not needed.
        metric: What distance is.
        kmeans: Whether the clusterer has ``cluster_centers_``.

    Source:
        Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 1987.
    """
    import numpy

    if not (are_given(X=X, cluster_labels=cluster_labels) and is_kind("clusterer", clusterer)):
        return
    if not is_fitted(clusterer):
        return
    samples, found = numpy.asarray(X), numpy.asarray(cluster_labels)
    mean = float(_metrics.silhouette_score(samples, found, metric=metric))
    each = _metrics.silhouette_samples(samples, found, metric=metric)
    bars, height = [], _GAP
    for cluster in range(len(numpy.unique(found))):
        widths = numpy.sort(each[found == cluster])
        bars += [(height + i, width, cluster) for i, width in enumerate(widths)]
        height += len(widths) + _GAP
    centers = clusterer.cluster_centers_ if kmeans else None
    rows = []
    for number, (place, width, cluster) in enumerate(limited(bars, "silhouette")):
        own = int(found[number])
        center = (None, None) if centers is None else centers[own][:2]
        rows.append([*samples[number, :2], own, *center, place, 0, width, cluster, mean])
    columns = (
        *("x", "y", "colors", "centerx", "centery"),
        *("y_sil", "x1", "x2", "color_sil", "silhouette_avg"),
    )
    log_chart("silhouette_plot", "wandb/silhouette_/v1", columns, rows)
