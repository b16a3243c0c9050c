"""Asking an adapter, behind a barrier: it is the user's code, and the training must outlive it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.pipeline.faults import FaultLog
from quark.writers.batch_composition import Composition, agreed_size, compose
from quark.writers.batch_metadata import BatchMetadata, BatchMetadataAdapter


class Extracted(NamedTuple):
    """What an adapter said of a batch, in plain values."""

    parts: Composition
    metadata: dict[str, Any]


NOTHING = Extracted(Composition(), {})


def extract(adapter: BatchMetadataAdapter, batch: Any, faults: FaultLog) -> Extracted:
    """Return what ``adapter`` says of ``batch``; nothing if it fails, which is recorded.

    Raises:
        Exception: What went wrong, in a strict run.
    """
    try:
        said = adapter.extract_batch_metadata(batch)
        if not isinstance(said, BatchMetadata):
            raise SchemaValidationError(
                f"{type(adapter).__name__}.extract_batch_metadata returned a "
                f"{type(said).__name__}; it must return a BatchMetadata."
            )
        parts = compose(said.batch_size, said.class_counts, said.sample_ids, said.sequence_lengths)
        return Extracted(
            parts._replace(batch_size=agreed_size(parts)), plain_metadata(said.metadata)
        )
    except Exception as error:
        faults.record(f"batch adapter {type(adapter).__name__} failed", error)
        return NOTHING


def plain_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata as plain values.

    Raises:
        SchemaValidationError: It is no mapping, or holds an array (which may be samples) or
            something that JSON cannot say.
    """
    if not isinstance(metadata, Mapping):
        raise SchemaValidationError(
            f"metadata of type {type(metadata).__name__} is not valid: it must be a mapping."
        )
    for key, value in metadata.items():
        _refuse_arrays(key, value)
    plain: dict[str, Any] = jsonio.to_plain(metadata)
    return plain


def _refuse_arrays(key: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        for item in value.values():
            _refuse_arrays(key, item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_arrays(key, item)
    elif len(getattr(value, "shape", ())) > 0:
        raise SchemaValidationError(
            f"metadata {key!r} holds an array of shape {tuple(value.shape)}, which is not kept: "
            "it may be samples. Pass numbers and strings, or value.tolist() if it is none."
        )
