"""What an adapter reads off a batch, so that the training loop need not.

Without an adapter a batch is never looked into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.writers.batch_composition import agreed_size, compose


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMetadata:
    """What is known of one batch; everything may be left out.

    Args:
        batch_size: How many samples it has; else what the other fields say.
        sample_ids: Integers or strings, one per sample: a list, array or tensor.
        class_counts: A mapping from class to count, or the labels themselves, which are counted:
            class ids, a matrix of 0 and 1, or probabilities.
        sequence_lengths: Integers, one per sample.
        metadata: Anything that JSON can hold, but no arrays.
    """

    batch_size: int | None = None
    sample_ids: Any = None
    class_counts: Any = None
    sequence_lengths: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, with labels counted.

        Raises:
            SchemaValidationError: A field is not what it should be.

        >>> BatchMetadata(class_counts=["cat", "dog", "cat"]).to_dict()["class_counts"]
        {'cat': 2, 'dog': 1}
        """
        parts = compose(self.batch_size, self.class_counts, self.sample_ids, self.sequence_lengths)
        return {
            "batch_size": agreed_size(parts),
            "sample_ids": None if parts.sample_ids is None else list(parts.sample_ids),
            "class_counts": parts.class_counts,
            "sequence_lengths": (
                None if parts.sequence_lengths is None else list(parts.sequence_lengths)
            ),
            "metadata": jsonio.to_plain(self.metadata),
        }


@runtime_checkable
class BatchMetadataAdapter(Protocol):
    """Tells what a batch of your data loader is made of. Derive from it, or just have the method.

    What it raises never stops a training: it is said once, the batch is logged without what the
    adapter would have said, and only strict runs raise.
    """

    def extract_batch_metadata(self, batch: Any) -> BatchMetadata:
        """Return what is known of ``batch``."""
        ...


class MappingBatchMetadataAdapter(BatchMetadataAdapter):
    """Reads a batch that is a mapping, such as most collate functions give.

    Args:
        sample_id_key: Where the samples' ids are.
        label_key: Where the labels are; they are counted.
        sequence_length_key: Where the lengths are.
        metadata_keys: What is kept as metadata under the same keys. Arrays are refused.

    A key that was named and is not in a batch is an error. The batch size is what these say; if
    they say nothing, the first dimension that all arrays of the batch share.

    >>> adapter = MappingBatchMetadataAdapter(label_key="y", metadata_keys=("split",))
    >>> adapter.extract_batch_metadata({"y": [0, 1, 1], "split": "train"}).to_dict()["class_counts"]
    {'0': 1, '1': 2}
    """

    def __init__(
        self,
        *,
        sample_id_key: str | None = None,
        label_key: str | None = None,
        sequence_length_key: str | None = None,
        metadata_keys: Sequence[str] = (),
    ) -> None:
        if isinstance(metadata_keys, str):
            raise SchemaValidationError(
                f"metadata_keys {metadata_keys!r} is one string; pass ({metadata_keys!r},)."
            )
        self._sample_id_key = sample_id_key
        self._label_key = label_key
        self._sequence_length_key = sequence_length_key
        self._metadata_keys = tuple(metadata_keys)

    def extract_batch_metadata(self, batch: Any) -> BatchMetadata:
        """Return what the named keys of ``batch`` hold.

        Raises:
            SchemaValidationError: ``batch`` is no mapping, or a key is not in it.
        """
        if not isinstance(batch, Mapping):
            raise SchemaValidationError(
                f"A batch of type {type(batch).__name__} is no mapping; write a "
                "BatchMetadataAdapter for it."
            )
        keys = (self._sample_id_key, self._label_key, self._sequence_length_key)
        sample_ids, labels, lengths = (self._value(batch, key) for key in keys)
        unsized = sample_ids is None and labels is None and lengths is None
        return BatchMetadata(
            batch_size=_shared_length(batch) if unsized else None,
            sample_ids=sample_ids,
            class_counts=labels,
            sequence_lengths=lengths,
            metadata={key: self._value(batch, key) for key in self._metadata_keys},
        )

    @staticmethod
    def _value(batch: Mapping[Any, Any], key: str | None) -> Any:
        if key is None:
            return None
        try:
            return batch[key]
        except KeyError as error:
            raise SchemaValidationError(
                f"The batch has no key {key!r}; it has {', '.join(map(repr, batch))}. Name one of "
                "these, or leave it out."
            ) from error


def _shared_length(batch: Mapping[Any, Any]) -> int | None:
    shapes: list[Any] = [getattr(value, "shape", ()) for value in batch.values()]
    lengths = {int(shape[0]) for shape in shapes if len(shape)}
    return lengths.pop() if len(lengths) == 1 else None
