"""Artifacts come back as they were stored, lie where the layout says, and bad ones are refused."""

from __future__ import annotations

import array
import io
import json
import mmap
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from quark import ARTIFACT_STORAGE_LAYOUT, ArtifactStore, SchemaValidationError, TrainingSession
from quark.errors import SessionStoreError, WriterClosedError
from quark.schema import validate_record

RAW = bytes(range(256)) * 5


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        yield session


def root_of(session: TrainingSession) -> Path:
    return Path(session.context.store_root)


def test_the_guides_example_holds(session: TrainingSession) -> None:
    with ArtifactStore(session) as artifacts:
        histogram = artifacts.log_histogram(
            "activation",
            bins=[-1.0, 0.0, 1.0],
            counts=[12, 4],
            step=120,
            epoch=2,
            namespace="layers/encoder",
            metadata={"module": "encoder.0"},
        )
        snapshot = artifacts.log_snapshot(
            "warmup",
            {"checkpoint_path": "checkpoints/step-120.pt", "checkpoint_size_bytes": 8192},
            snapshot_type="checkpoint_metadata",
            step=120,
            epoch=2,
            namespace="trainer",
            metadata={"phase": "warmup"},
        )
        plain = artifacts.log_snapshot("latest", "all quiet")

        assert artifacts.read() == (histogram, snapshot, plain)
        assert artifacts.load(histogram) == {"bins": [-1.0, 0.0, 1.0], "counts": [12, 4]}
        assert artifacts.load(snapshot.id)["checkpoint_size_bytes"] == 8192
        assert artifacts.load(plain) == "all quiet"
    assert (histogram.artifact_type, histogram.artifact_key) == (
        "histogram",
        "layers/encoder/activation",
    )
    assert (snapshot.artifact_type, plain.artifact_type) == (
        "checkpoint_metadata",
        "batch_diagnostics_snapshot",
    )
    for record in (histogram, snapshot, plain):
        validate_record(record)
        content = (root_of(session) / record.payload_relative_path).read_bytes()
        assert (len(content), sha256(content).hexdigest()) == (record.size_bytes, record.sha256)
        described = json.loads((root_of(session) / record.metadata_relative_path).read_text())
        assert described.items() <= record.to_dict().items()
        assert described["sha256"] == record.sha256


@pytest.mark.parametrize(
    ("payload", "payload_format", "kept", "loaded"),
    [
        pytest.param("grün ✓", None, ("text", ".txt", "grün ✓".encode()), "grün ✓", id="text"),
        pytest.param("x", "json", ("json", ".json", b'"x"'), "x", id="text-as-json"),
        pytest.param(RAW, None, ("bytes", ".bin", RAW), RAW, id="bytes"),
        pytest.param(bytearray(RAW), "bytes", ("bytes", ".bin", RAW), RAW, id="bytearray"),
        pytest.param(memoryview(RAW)[::2], None, ("bytes", ".bin", RAW[::2]), RAW[::2], id="view"),
        pytest.param(memoryview(b""), None, ("bytes", ".bin", b""), b"", id="empty-view"),
        pytest.param(
            array.array("d", [1.5]),
            "bytes",
            ("bytes", ".bin", np.float64(1.5).tobytes()),
            np.float64(1.5).tobytes(),
            id="buffer",
        ),
        pytest.param(
            np.arange(6, dtype=">i4").reshape(2, 3),
            "bytes",
            ("bytes", ".bin", np.arange(6, dtype=">i4").tobytes()),
            np.arange(6, dtype=">i4").tobytes(),
            id="array-as-bytes",
        ),
        pytest.param(
            {"a": [1, None]}, None, ("json", ".json", b'{"a":[1,null]}'), {"a": [1, None]}
        ),
        pytest.param(None, None, ("json", ".json", b"null"), None, id="none"),
        pytest.param(
            np.eye(2), None, ("json", ".json", b"[[1.0,0.0],[0.0,1.0]]"), [[1, 0], [0, 1]]
        ),
        pytest.param([float("nan")], None, ("json", ".json", b'["NaN"]'), ["NaN"], id="nan"),
    ],
)
def test_every_format_comes_back(
    session: TrainingSession,
    payload: Any,
    payload_format: str | None,
    kept: tuple[str, str, bytes],
    loaded: Any,
) -> None:
    with ArtifactStore(session) as artifacts:
        record = artifacts.store("thing", "a/b", payload, payload_format=payload_format)
        payload_path = record.payload_relative_path

        if payload_path:  # a service gives no path
            path = root_of(session) / payload_path
            assert (path.suffix, path.read_bytes()) == kept[1:]
        assert record.payload_format == kept[0]
        assert bool(payload_path) == (session.handle.settings.persistence_url is None)
        assert artifacts.load(record.id) == loaded
        with artifacts.open(record) as stream:
            assert stream.read() == kept[2]


def test_files_are_streamed_from_where_they_stand(session: TrainingSession, tmp_path: Path) -> None:
    source = tmp_path / "weights.pt"
    torch.save({"w": torch.arange(1000.0)}, source)
    started = io.BytesIO(b"skipped" + RAW)
    started.seek(7)
    with (
        ArtifactStore(session) as artifacts,
        source.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        by_path = artifacts.store("checkpoint", "last", source)
        by_file = artifacts.store("checkpoint", "last", file)
        by_map = artifacts.store("checkpoint", "last", mapped)
        by_stream = artifacts.store("checkpoint", "rest", started)

        assert by_path.payload_relative_path.endswith(".pt")
        assert {by_path.sha256, by_file.sha256, by_map.sha256} == {
            sha256(source.read_bytes()).hexdigest()
        }
        assert artifacts.load(by_stream) == RAW
        assert not file.closed
        with artifacts.open(by_path) as stream:  # torch needs a stream that can seek
            assert torch.equal(torch.load(stream)["w"], torch.arange(1000.0))


def test_equal_payloads_are_kept_once_and_read_only(
    session: TrainingSession, tmp_path: Path
) -> None:
    with ArtifactStore(session) as artifacts:
        records = [artifacts.store("t", f"n{n}", RAW, step=n) for n in range(5)]

    blobs = list((root_of(session) / "blobs").glob("??/??/*"))
    assert [path.name for path in blobs] == [records[0].sha256]
    assert str(blobs[0].relative_to(root_of(session))) == ARTIFACT_STORAGE_LAYOUT["blob"].format(
        ab=records[0].sha256[:2], cd=records[0].sha256[2:4], sha256=records[0].sha256
    )
    assert blobs[0].stat().st_nlink == 6
    assert blobs[0].stat().st_mode & 0o222 == 0
    assert all("-step" in Path(record.payload_relative_path).name for record in records)
    # A copied run folder is whole, also where its blobs did not come along.
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(session.run_path, elsewhere / ".quark" / "runs" / session.run_id)
    shutil.rmtree(root_of(session) / "blobs")
    with ArtifactStore(session) as artifacts:
        assert artifacts.load(records[3]) == RAW
    copied = elsewhere / ".quark" / records[4].payload_relative_path
    assert copied.read_bytes() == RAW


def test_every_filter_selects_what_a_plain_loop_selects(session: TrainingSession) -> None:
    with ArtifactStore(session) as artifacts:
        for n in range(24):
            artifacts.store(
                ("histogram", "summary", "note")[n % 3],
                ("a/x", "a/y", "b/x", "x")[n % 4],
                ({"n": n}, f"{n}")[n % 2],
                step=n if n % 5 else None,
                epoch=n // 8,
            )
        everything = artifacts.read()
        chosen = everything[7]
        cases: list[tuple[dict[str, Any], Any]] = [
            ({"artifact_id": chosen.id}, lambda r: r.id == chosen.id),
            ({"artifact_type": "note"}, lambda r: r.artifact_type == "note"),
            ({"artifact_types": ["note", "summary"]}, lambda r: r.artifact_type != "histogram"),
            ({"artifact_types": []}, lambda r: False),
            ({"namespace": "a"}, lambda r: r.namespace == "a"),
            ({"artifact_name": "x"}, lambda r: r.artifact_name == "x"),
            ({"artifact_key": "x"}, lambda r: r.artifact_key == "x"),
            ({"payload_format": "text"}, lambda r: r.payload_format == "text"),
            ({"step_min": 5, "step_max": 17}, lambda r: r.step is not None and 5 <= r.step <= 17),
            ({"epoch": 1, "namespace": "a"}, lambda r: r.epoch == 1 and r.namespace == "a"),
            ({"epoch_min": 1, "epoch_max": 2, "step": 9}, lambda r: r.step == 9),
        ]
        for filters, fits in cases:
            expected = tuple(record for record in everything if fits(record))
            assert artifacts.read(**filters) == expected, filters
            assert artifacts.read(**filters, limit=2) == expected[-2:], filters
    assert len(everything) == 24


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda a: a.store("a/b", "n", 1), "Artifact type 'a/b'", id="type"),
        pytest.param(lambda a: a.store("t", "a//n", 1), "segment ''", id="name"),
        pytest.param(lambda a: a.store("t", "a/n", 1, namespace="b"), "'a/n'", id="both"),
        pytest.param(lambda a: a.store("t", "n", 1, step=-1), "step -1", id="step"),
        pytest.param(lambda a: a.store("t", "n", 1, timestamp="soon"), "soon", id="timestamp"),
        pytest.param(lambda a: a.store("t", "n", 1, metadata=[1]), "be a mapping", id="metadata"),
        pytest.param(
            lambda a: a.store("t", "n", 1, payload_format="yaml"), "'yaml'.*'json'", id="format"
        ),
        pytest.param(
            lambda a: a.store("t", "n", 1, payload_format="text"),
            "type int.*'text'.*a string.*'json'",
            id="number-as-text",
        ),
        pytest.param(
            lambda a: a.store("t", "n", b"x", payload_format="json"), "bytes.*'json'", id="json"
        ),
        pytest.param(
            lambda a: a.store("t", "n", "x", payload_format="bytes"), "str.*'bytes'", id="bytes"
        ),
        pytest.param(lambda a: a.store("t", "n", object()), "object", id="foreign"),
        pytest.param(lambda a: a.store("t", "n", "\ud800"), "UTF-8", id="surrogate"),
        pytest.param(lambda a: a.store("t", "n", io.StringIO("x")), "binary", id="text-stream"),
        pytest.param(lambda a: a.store("t", "n", Path("gone")), "'gone'", id="no-file"),
        pytest.param(lambda a: a.store("t", "n", Path()), "directory", id="folder"),
        pytest.param(lambda a: a.read(payload_format="yaml"), "'yaml'", id="filter-format"),
        pytest.param(lambda a: a.read(artifact_type="a b"), "'a b'", id="filter-type"),
        pytest.param(lambda a: a.load(7), "no artifact", id="load"),
        pytest.param(
            lambda a: a.log_histogram("n", bins=[0, 1], counts=[1, 2]), "one more", id="counts"
        ),
        pytest.param(lambda a: a.log_histogram("n", bins=[0], counts=[]), "at least", id="empty"),
        pytest.param(
            lambda a: a.log_histogram("n", bins=[0, 2, 1], counts=[1, 2]), r"bins\[2\]", id="order"
        ),
        pytest.param(
            lambda a: a.log_histogram("n", bins=[0, float("inf")], counts=[1]), "inf", id="inf"
        ),
        pytest.param(
            lambda a: a.log_histogram("n", bins=[0, 1], counts=[-1]), r"counts\[0\]", id="negative"
        ),
        pytest.param(
            lambda a: a.log_histogram("n", bins=[0, 1], counts=["1"]), "finite number", id="string"
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_and_leaves_nothing(
    session: TrainingSession, call: Any, message: str
) -> None:
    with ArtifactStore(session) as artifacts:
        with pytest.raises(SchemaValidationError, match=message):
            call(artifacts)

        assert artifacts.read() == ()
    assert not list(session.run_path.glob("artifacts/**/*"))


def test_histograms_take_what_numpy_and_torch_make(session: TrainingSession) -> None:
    values = np.random.default_rng(0).normal(size=500)
    counts, edges = np.histogram(values, bins=7)
    with ArtifactStore(session) as artifacts:
        of_numpy = artifacts.log_histogram("a", bins=edges, counts=counts)
        of_torch = artifacts.log_histogram(
            "a", bins=torch.from_numpy(edges), counts=list(torch.from_numpy(counts))
        )

        assert artifacts.load(of_numpy) == {"bins": edges.tolist(), "counts": counts.tolist()}
        assert of_torch.sha256 == of_numpy.sha256


def test_long_keys_find_room_in_file_names(session: TrainingSession) -> None:
    with ArtifactStore(session) as artifacts:
        record = artifacts.store("t" * 300, "n" * 250 + "/" + "m" * 250, "kept")

        assert artifacts.load(record.id) == "kept"
        assert (root_of(session) / record.payload_relative_path).read_text() == "kept"


def test_a_closed_store_refuses_to_store_and_still_reads(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        artifacts = ArtifactStore(session)
        record = artifacts.store("t", "n", {"a": 1})
        with pytest.raises(SessionStoreError, match="no artifact 'w1-1'"):
            artifacts.load("w1-1")

    with pytest.raises(WriterClosedError, match="run has ended"):
        artifacts.store("t", "n", 1)
    assert artifacts.read() == (record,)
    assert artifacts.load(record) == artifacts.load(record.id) == {"a": 1}
    with ArtifactStore(session.context) as reopened:
        assert reopened.load(record.id) == {"a": 1}
        late = reopened.store("t", "late", {"a": 2})
    with ArtifactStore(session.context) as reopened:
        assert reopened.read() == (record, late)
