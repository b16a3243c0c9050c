"""``wandb.sklearn``: the charts' tables are W&B's, and have scikit-learn's own numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.differences import DIFFERENCES
from tests.compat.wandb.differential import observe

numpy = pytest.importorskip("numpy")
pytest.importorskip("sklearn")

LISTED = {name for difference in DIFFERENCES for name in difference.shown_by}


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What charts were logged of, by their keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb.init()
    found: dict[str, Any] = {}
    monkeypatch.setattr(
        wandb, "log", lambda row: found.update({k: chart.table for k, chart in row.items()})
    )
    yield found
    wandb.finish()


@pytest.mark.wandb_parity
def test_charts_are_those_of_wandb(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    found = observe("tests.compat.wandb.integration.behaviours_sklearn", tmp_path)
    named = {f"sklearn / {behaviour.name}": behaviour for behaviour in found}
    different = {
        name: (behaviour.real, behaviour.shim)
        for name, behaviour in named.items()
        if not behaviour.same
    }

    assert {name: what for name, what in different.items() if name not in LISTED} == {}
    assert {name for name in LISTED if name.startswith("sklearn / ")} == set(different)
    record_property("behaviours compared", len(named))
    print(f"sklearn: {len(named)} behaviours compared")


def test_a_confusion_matrix_counts_pairs(tables: dict[str, Any]) -> None:
    generator = numpy.random.default_rng(0)
    truth, guesses = generator.integers(0, 3, size=(2, 100)).tolist()
    names = ["cat", "dog", "owl"]

    wandb.sklearn.plot_confusion_matrix(truth, guesses, names)
    counted = {(actual, guess): count for guess, actual, count in tables["confusion_matrix"].data}
    wandb.sklearn.plot_confusion_matrix(truth, guesses, names, true_labels=["cat"], normalize=True)
    shares = {guess: share for guess, _, share in tables["confusion_matrix"].data}

    pairs = [(names[one], names[other]) for one, other in zip(truth, guesses, strict=True)]
    assert counted == {(a, b): pairs.count((a, b)) for a in names for b in names}
    cats = truth.count(0)
    assert shares == {b: round(pairs.count(("cat", b)) / cats, 2) for b in names}


def test_a_silhouette_compares_the_own_cluster_with_the_nearest(tables: dict[str, Any]) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    generator = numpy.random.default_rng(1)
    samples = numpy.concatenate([generator.normal(c, 1, size=(12, 2)) for c in (0, 4, 9)])
    model = cluster.KMeans(3, n_init=2, random_state=0).fit(samples)
    found = model.labels_

    wandb.sklearn.plot_silhouette(model, samples, found)
    wandb.sklearn.plot_elbow_curve(model, samples, [1, 3])

    widths = []
    for sample, own in zip(samples, found, strict=True):
        apart = numpy.linalg.norm(samples - sample, axis=1)
        inside = apart[found == own].sum() / ((found == own).sum() - 1)
        outside = min(apart[found == other].mean() for other in range(3) if other != own)
        widths.append((outside - inside) / max(inside, outside))
    table = tables["silhouette_plot"]
    shown = dict(zip(table.columns, zip(*table.data, strict=True), strict=True))
    expected = [w for own in range(3) for w in sorted(numpy.array(widths)[found == own])]
    assert shown["x2"] == pytest.approx(expected)
    assert shown["silhouette_avg"][0] == pytest.approx(numpy.mean(widths))
    assert shown["color_sil"] == tuple(sorted(found.tolist()))
    assert shown["x"] == pytest.approx(samples[:, 0])
    assert shown["centery"] == pytest.approx(model.cluster_centers_[found][:, 1])
    (_, all_apart, _), (_, error, seconds) = tables["elbow_curve"].data
    assert all_apart == pytest.approx(((samples - samples.mean(axis=0)) ** 2).sum())
    assert error == pytest.approx(model.inertia_)
    assert seconds >= 0


def test_cooks_distance_is_how_far_predictions_move_without_a_sample(
    tables: dict[str, Any],
) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    generator = numpy.random.default_rng(2)
    samples = generator.normal(size=(30, 3))
    targets = samples @ [1.0, -2.0, 0.5] + generator.normal(size=30)
    targets[7] += 15
    model = linear.LinearRegression(fit_intercept=False).fit(samples, targets)

    wandb.sklearn.plot_outlier_candidates(model, samples, targets)

    predicted = model.predict(samples)
    variance = ((targets - predicted) ** 2).sum() / (30 - 3)
    distances = []
    for left_out in range(30):
        others = numpy.arange(30) != left_out
        refitted = linear.LinearRegression(fit_intercept=False).fit(
            samples[others], targets[others]
        )
        moved = predicted - refitted.predict(samples)
        distances.append((moved**2).sum() / (3 * variance))
    columns = list(zip(*tables["outlier_candidates"].data, strict=True))
    assert columns[0] == pytest.approx(distances)
    assert max(columns[0]) == columns[0][7]
    share = 100 * sum(distance >= 4 / 30 for distance in distances) / 30
    assert columns[2][0] == pytest.approx(share, abs=1e-3)


def test_a_large_chart_is_cut_with_a_warning(
    tables: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    generator = numpy.random.default_rng(3)
    samples = generator.normal(size=(1500, 2))
    targets = samples.sum(axis=1) + generator.normal(size=1500)
    model = linear.LinearRegression().fit(samples, targets)

    wandb.sklearn.plot_outlier_candidates(model, samples, targets)
    wandb.sklearn.plot_residuals(model, samples, targets)

    assert len(tables["outlier_candidates"].data) == 1000
    assert [row[0] for row in tables["residuals"].data] == ["train"] * 100 + ["test"] * 100
