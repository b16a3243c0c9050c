"""Batches come back as they were made up, whatever held them; samples never get in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from quark import (
    BatchMetadata,
    BatchMetadataAdapter,
    DataDiagnostics,
    DataDiagnosticsConfig,
    MappingBatchMetadataAdapter,
    SchemaValidationError,
    TrainingSession,
)
from quark.errors import WriterClosedError
from quark.schema import validate_record


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        yield session


HOLDERS = {
    "list": lambda values: values,
    "tuple": tuple,
    "range-like": iter,
    "numpy": np.array,
    "numpy-scalars": lambda values: list(np.array(values)),
    "torch": torch.tensor,
    "torch-scalars": lambda values: [torch.tensor(value) for value in values],
    "torch-int32": lambda values: torch.tensor(values, dtype=torch.int32),
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_every_holder_of_numbers_says_the_same(session: TrainingSession, hold: Any) -> None:
    with DataDiagnostics(session) as diagnostics:
        record = diagnostics.log_batch(
            torch.tensor(0.5, requires_grad=True),  # type: ignore[arg-type]
            step=3,
            epoch=1,
            labels=hold([2, 0, 2, 2]),
            sample_ids=hold([10, 11, 12, 10]),
            sequence_lengths=hold([5, 7, 0, 3]),
            metadata={"augmentation": "mixup", "lam": 0.3},
            timestamp="2026-05-07T00:00:00Z",
        )

        assert diagnostics.read() == (record,)
    validate_record(record)
    assert record.to_dict() | {"id": "", "run_id": ""} == {
        "id": "",
        "run_id": "",
        "timestamp": "2026-05-07T00:00:00.000000Z",
        "loss": 0.5,
        "step": 3,
        "epoch": 1,
        "batch_size": 4,
        "sample_ids": ["10", "11", "12", "10"],
        "class_counts": {"2": 3, "0": 1},
        "sequence_lengths": [5, 7, 0, 3],
        "metadata": {"augmentation": "mixup", "lam": 0.3},
    }


@pytest.mark.parametrize(
    ("labels", "counts", "size"),
    [
        pytest.param(["cat", "dog", "cat"], {"cat": 2, "dog": 1}, 3, id="names"),
        pytest.param(torch.tensor([1.0, 0.0, 1.0]), {"1": 2, "0": 1}, 3, id="whole-floats"),
        pytest.param([True, False, True, 1], {"1": 3, "0": 1}, 4, id="booleans"),
        pytest.param(np.array([[3], [-100]]), {"3": 1, "-100": 1}, 2, id="column"),
        pytest.param(np.array([["a"], ["b"], ["a"]]), {"a": 2, "b": 1}, 3, id="column-of-names"),
        pytest.param(torch.eye(3)[[0, 2, 2]], {"0": 1, "2": 2}, 3, id="one-hot"),
        pytest.param([[1, 1, 0], [0, 1, 0], [0, 0, 0]], {"0": 1, "1": 2}, 3, id="multi-label"),
        pytest.param(
            list(torch.tensor([[0.3, 0.7], [0.6, 0.4], [0.1, 0.9]])), {"1": 2, "0": 1}, 3, id="soft"
        ),
        pytest.param({"cat": 4, 7: np.int64(2)}, {"cat": 4, "7": 2}, None, id="counts"),
        pytest.param([], None, 0, id="none"),
    ],
)
def test_labels_of_many_shapes_are_counted(
    session: TrainingSession, labels: Any, counts: Any, size: int | None
) -> None:
    with DataDiagnostics(session) as diagnostics:
        record = diagnostics.log_batch(1.0, labels=labels)

        assert (record.class_counts, record.batch_size) == (counts, size)
        assert BatchMetadata(class_counts=labels).to_dict()["class_counts"] in (counts, {})


ARRAY = np.zeros((2, 3, 3))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        pytest.param({"loss": "0.5"}, "'0.5'", id="loss-text"),
        pytest.param({"loss": True}, "True", id="loss-boolean"),
        pytest.param({"loss": torch.ones(2)}, "single number", id="loss-per-sample"),
        pytest.param({"step": -1}, "step -1", id="step"),
        pytest.param({"batch_size": 1.5}, "1.5", id="batch-size"),
        pytest.param({"labels": "cat"}, "a single str", id="one-label"),
        pytest.param({"labels": 3}, "a single int", id="one-number"),
        pytest.param({"labels": [0.5, 1.0]}, "0.5", id="regression"),
        pytest.param({"labels": [float("nan")]}, "nan", id="nan"),
        pytest.param({"labels": [None]}, "None", id="none"),
        pytest.param({"labels": [[0.2, 0.2], [3.0, 0.1]]}, "probabilities", id="matrix"),
        pytest.param({"labels": [[1, 0], [1]]}, "different shapes", id="ragged"),
        pytest.param({"labels": ARRAY}, "two dimensions", id="images-as-labels"),
        pytest.param({"labels": ["x" * 513]}, "'xxx", id="texts-as-labels"),
        pytest.param({"labels": {"a": -1}}, "-1", id="count"),
        pytest.param({"sample_ids": ARRAY}, "a list", id="images-as-ids"),
        pytest.param({"sample_ids": ["x" * 513]}, "more than 512", id="texts-as-ids"),
        pytest.param({"sample_ids": "abc"}, "a single str", id="one-id"),
        pytest.param({"sample_ids": [1.5]}, "a float", id="fraction-as-id"),
        pytest.param({"sequence_lengths": [3, -1]}, "-1", id="negative-length"),
        pytest.param({"sequence_lengths": [0.5]}, "0.5", id="fraction-of-length"),
        pytest.param({"metadata": {"image": ARRAY}}, "'image'.*shape", id="array-as-metadata"),
        pytest.param({"metadata": {"x": [{"y": torch.ones(1)}]}}, "'x'.*shape", id="nested-array"),
        pytest.param({"metadata": {"x": object()}}, "object", id="foreign"),
        pytest.param({"metadata": [1]}, "mapping", id="list-as-metadata"),
        pytest.param(
            {"labels": [1, 2], "sample_ids": [1, 2, 3]}, "2 samples by labels and 3 by sample_ids"
        ),
        pytest.param({"batch_size": 4, "sequence_lengths": [1]}, "4 samples by batch_size and 1"),
        pytest.param({"timestamp": "soon"}, "soon", id="timestamp"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(
    session: TrainingSession, batch: dict[str, Any], message: str
) -> None:
    with DataDiagnostics(session) as diagnostics:
        with pytest.raises(SchemaValidationError, match=message):
            diagnostics.log_batch(**{"loss": 1.0, **batch})

        assert diagnostics.read() == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "batch_size 0"),
        ({"min_batches_for_outlier_detection": 2.0}, "2.0"),
        ({"outlier_z_score_threshold": 0}, "outlier_z_score_threshold 0"),
        ({"outlier_iqr_multiplier": float("inf")}, "inf"),
        ({"hard_batch_percentile": 90}, "such as 0.9"),
        ({"adapter": object()}, "extract_batch_metadata"),
        ({"adapter": MappingBatchMetadataAdapter}, r"MappingBatchMetadataAdapter\(\)"),
    ],
)
def test_a_config_refuses_what_makes_no_sense(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaValidationError, match=message):
        DataDiagnosticsConfig(**values)


class TupleBatchAdapter(BatchMetadataAdapter):
    """The guide's."""

    def extract_batch_metadata(self, batch: Any) -> BatchMetadata:
        _, targets, sample_ids = batch
        return BatchMetadata(
            batch_size=len(sample_ids),
            sample_ids=sample_ids,
            class_counts=targets,
            metadata={"source": "tuple_loader"},
        )


def test_adapters_read_batches_and_what_is_passed_beside_them_wins(
    session: TrainingSession,
) -> None:
    tuples = DataDiagnosticsConfig(adapter=TupleBatchAdapter())
    mappings = DataDiagnosticsConfig(
        adapter=MappingBatchMetadataAdapter(
            sample_id_key="sample_ids",
            label_key="labels",
            sequence_length_key="lengths",
            metadata_keys=("loader",),
        )
    )
    batch = {
        "x": torch.zeros(2, 9),
        "sample_ids": ["a", "b"],
        "labels": torch.tensor([1, 1]),
        "lengths": [4, 9],
        "loader": "main",
    }
    with DataDiagnostics(session, config=tuples) as diagnostics:
        by_tuple = diagnostics.log_batch(1.0, batch=(ARRAY, torch.tensor([0, 5]), [7, 8]))
        without_batch = diagnostics.log_batch(1.0)
    with DataDiagnostics(session, config=mappings) as diagnostics:
        by_mapping = diagnostics.log_batch(1.0, batch=batch)
        overruled = diagnostics.log_batch(
            1.0, batch=batch, labels={"dog": 9}, sample_ids=[1, 2], metadata={"loader": "b", "n": 1}
        )
        with pytest.raises(SchemaValidationError, match="2 samples by batch_size and 3 by labels"):
            diagnostics.log_batch(1.0, batch=batch, labels=[1, 2, 3])
    only_labels = MappingBatchMetadataAdapter(label_key="labels")
    with DataDiagnostics(session, config=DataDiagnosticsConfig(adapter=only_labels)) as diagnostics:
        resized = diagnostics.log_batch(1.0, batch=batch, labels={"dog": 9}, batch_size=3)
    with DataDiagnostics(session) as diagnostics:
        not_looked_into = diagnostics.log_batch(1.0, batch=batch)
    sizes = MappingBatchMetadataAdapter().extract_batch_metadata(batch)

    assert (by_tuple.batch_size, by_tuple.sample_ids) == (2, ("7", "8"))
    assert (by_tuple.class_counts, by_tuple.metadata) == (
        {"0": 1, "5": 1},
        {"source": "tuple_loader"},
    )
    assert without_batch.batch_size is None
    assert (by_mapping.sample_ids, by_mapping.class_counts) == (("a", "b"), {"1": 2})
    assert (by_mapping.sequence_lengths, by_mapping.metadata) == ((4, 9), {"loader": "main"})
    assert (overruled.sample_ids, overruled.class_counts) == (("1", "2"), {"dog": 9})
    assert overruled.metadata == {"loader": "b", "n": 1}
    assert (resized.batch_size, resized.class_counts) == (3, {"dog": 9})
    assert not_looked_into.batch_size is None
    assert sizes.to_dict()["batch_size"] == 2


class Wrong:
    """Answers with ``answer``, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def extract_batch_metadata(self, batch: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        pytest.param(Wrong(ZeroDivisionError("oops")), "oops", id="raises"),
        pytest.param(Wrong({"batch_size": 3}), "returned a dict", id="no-metadata"),
        pytest.param(Wrong(BatchMetadata(sample_ids=[0.5])), "a float", id="bad-ids"),
        pytest.param(
            Wrong(BatchMetadata(sample_ids=[1], batch_size=2)), "2 samples", id="disagrees"
        ),
        pytest.param(Wrong(BatchMetadata(metadata={"x": ARRAY})), "shape", id="array"),
        pytest.param(
            MappingBatchMetadataAdapter(label_key="target"),
            "no key 'target'; it has 'x', 'labels'",
            id="missing-key",
        ),
        pytest.param(
            MappingBatchMetadataAdapter(metadata_keys=("loader",)), "no key 'loader'", id="metadata"
        ),
    ],
)
def test_an_adapter_that_fails_costs_what_it_would_have_said(
    tmp_path: Path, adapter: Any, message: str
) -> None:
    config = DataDiagnosticsConfig(adapter=adapter)
    batch = {"x": ARRAY, "labels": [0, 1]}
    with (
        TrainingSession.start_run(project="p", storage_dir=tmp_path) as session,
        DataDiagnostics(session, config=config) as diagnostics,
    ):
        for step in range(3):
            diagnostics.log_batch(1.0, step=step, batch=batch, sample_ids=[1, 2])

        assert [record.sample_ids for record in diagnostics.read()] == [("1", "2")] * 3
        cause = f"batch adapter {type(adapter).__name__} failed"
        assert session.handle.faults.counts() == {cause: 3}
        assert message in session.handle.faults.last()[cause]

    with (
        TrainingSession.start_run(project="p", storage_dir=tmp_path, strict_mode=True) as strict,
        DataDiagnostics(strict, config=config) as diagnostics,
        pytest.raises(Exception, match=message),
    ):
        diagnostics.log_batch(1.0, batch=batch)


def test_no_sample_reaches_the_disk(tmp_path: Path) -> None:
    text = "the quick brown fox of sample seven"
    pixels = np.random.default_rng(7).random((2, 64)).astype(np.float32)
    adapter = MappingBatchMetadataAdapter(sample_id_key="ids", metadata_keys=("pixels",))
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        for config in (DataDiagnosticsConfig(), DataDiagnosticsConfig(adapter=adapter)):
            with DataDiagnostics(session, config=config) as diagnostics:
                diagnostics.log_batch(
                    0.5, step=0, batch={"ids": [41, 42], "text": [text] * 2, "pixels": pixels}
                )
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    kept += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert b'"loss":0.5' in kept  # so the search can find something
    assert text.encode() not in kept
    assert pixels.tobytes()[:16] not in kept
    assert repr(float(pixels[0, 0])).encode() not in kept


def test_every_filter_selects_what_a_plain_loop_selects(session: TrainingSession) -> None:
    with DataDiagnostics(session, config=DataDiagnosticsConfig(batch_size=7)) as diagnostics:
        for n in range(60):
            diagnostics.log_batch(
                math.nan if n == 13 else n / 7,
                step=n if n % 5 else None,
                epoch=n // 20,
                sample_ids=[n % 6, n % 7],
            )
        everything = diagnostics.read()
        cases: list[tuple[dict[str, Any], Any]] = [
            ({"sample_id": 5}, lambda r: "5" in r.sample_ids),
            ({"sample_id": "6", "epoch": 1}, lambda r: "6" in r.sample_ids and r.epoch == 1),
            ({"step": 13}, lambda r: r.step == 13),
            ({"step_min": 10, "step_max": 30}, lambda r: r.step is not None and 10 <= r.step <= 30),
            ({"epoch_min": 1, "epoch_max": 1}, lambda r: r.epoch == 1),
            ({"sample_id": "nobody"}, lambda r: False),
        ]
        for filters, fits in cases:
            expected = tuple(record for record in everything if fits(record))
            for limit in (2, 0):
                limited = diagnostics.read(**filters, limit=limit)
                assert repr(limited) == repr(expected[len(expected) - limit :][:limit]), filters
            assert repr(diagnostics.read(**filters)) == repr(expected), filters
        with pytest.raises(SchemaValidationError, match="sample_id"):
            diagnostics.read(sample_id=1.5)  # type: ignore[arg-type]
        with pytest.raises(SchemaValidationError, match="above"):
            diagnostics.summarize(step_min=3, step_max=1)
    assert [math.isnan(record.loss) for record in everything].index(True) == 13


def test_a_writer_buffers_closes_and_reads_on_after_the_end(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        diagnostics = DataDiagnostics(session, config=DataDiagnosticsConfig(batch_size=3))
        logged = [diagnostics.log_batch(float(n), step=n) for n in range(5)]
        assert diagnostics.flush() == tuple(logged[3:])

    with pytest.raises(WriterClosedError, match="run has ended"):
        diagnostics.log_batch(1.0)
    assert diagnostics.read() == tuple(logged)
    with DataDiagnostics(session.context) as reopened:
        assert reopened.summarize().batch_count == 5
