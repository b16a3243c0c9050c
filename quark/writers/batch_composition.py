"""What a batch is made of, from whatever a data loader has in hand: lists, arrays, tensors.

Only names, counts and lengths come out of here, never a sample: what is too long to be a name, or
has the shape of data, is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from quark.errors import SchemaValidationError

#: A longer name is a sample, not its name.
MAX_NAME_CHARACTERS = 512

_WAY_OUT = {
    "labels": "class ids: integers or strings, one per sample, or a matrix of 0 and 1",
    "sample_ids": "integers or strings, one per sample",
    "sequence_lengths": "integers of 0 or more, one per sample",
}


class Composition(NamedTuple):
    """A batch in plain values; None where nothing is known. ``label_count``: labelled samples."""

    batch_size: int | None = None
    sample_ids: tuple[str, ...] | None = None
    class_counts: dict[str, int] | None = None
    sequence_lengths: tuple[int, ...] | None = None
    label_count: int | None = None


def compose(batch_size: Any, labels: Any, sample_ids: Any, sequence_lengths: Any) -> Composition:
    """Return the parts as plain values.

    Args:
        batch_size: A number of samples.
        labels: As :func:`count_classes` takes them.
        sample_ids: Integers or strings, shape ``(n,)``.
        sequence_lengths: Integers of 0 or more, shape ``(n,)``.

    Raises:
        SchemaValidationError: A part is something else.
    """
    counts, label_count = (None, None) if labels is None else count_classes(labels)
    return Composition(
        None if batch_size is None else _size(batch_size),
        None if sample_ids is None else _names(sample_ids),
        counts,
        None if sequence_lengths is None else _lengths(sequence_lengths),
        label_count,
    )


def agreed_size(parts: Composition) -> int | None:
    """Return how many samples the batch has, as its parts say; None if none of them does.

    Raises:
        SchemaValidationError: Two of them say different numbers.
    """
    size, said_by = parts.batch_size, "batch_size"
    for name, count in (
        ("labels", parts.label_count),
        ("sample_ids", None if parts.sample_ids is None else len(parts.sample_ids)),
        (
            "sequence_lengths",
            None if parts.sequence_lengths is None else len(parts.sequence_lengths),
        ),
    ):
        if count is not None and size is not None and count != size:
            raise SchemaValidationError(
                f"A batch cannot have {size} samples by {said_by} and {count} by {name}: pass one "
                "entry per sample, and the batch size that they have."
            )
        if size is None and count is not None:
            size, said_by = count, name
    return size


def count_classes(labels: Any) -> tuple[dict[str, int], int | None]:
    """Return how often each class occurs, and how many samples that were.

    Args:
        labels: One of these, as a list, tuple, numpy array, tensor (of a GPU too, but that waits
            for the GPU; pass CPU labels) or anything else that can be iterated over:

            * class ids, shape ``(n,)`` or ``(n, 1)``: integers, strings, booleans (as 0 and 1), or
              floats without a fraction;
            * a matrix of 0 and 1, shape ``(n, classes)``, one-hot or multi-label: each 1 counts;
            * probabilities, shape ``(n, classes)``, rows that sum to 1 (soft labels, mixup): each
              row counts for its greatest entry;
            * a mapping from class to count. It does not say how many samples there are.

    Raises:
        SchemaValidationError: They are none of these.

    >>> count_classes(["cat", "dog", "cat"])
    ({'cat': 2, 'dog': 1}, 3)
    >>> count_classes([[1, 0, 1], [0, 0, 1]])
    ({'0': 1, '2': 2}, 2)
    """
    if isinstance(labels, Mapping):
        given: Counter[str] = Counter()
        for name, count in labels.items():
            given[_class_name(name)] += _size(count)
        return dict(given), None
    items = _items("labels", labels)
    if items and isinstance(items[0], (list, tuple)):
        return _count_rows(items), len(items)
    kinds = set(map(type, items))
    if not kinds <= {int} and not kinds <= {str}:
        items = [_class_name(item) for item in items]
    return {_class_name(item): count for item, count in Counter(items).items()}, len(items)


def _count_rows(rows: Sequence[Any]) -> dict[str, int]:
    width = len(rows[0])
    if any(not isinstance(row, (list, tuple)) or len(row) != width for row in rows):
        raise _refusal("labels", "rows of different shapes")
    if width == 1:
        return count_classes([row[0] for row in rows])[0]
    if any(not isinstance(value, (int, float)) for row in rows for value in row):
        raise _refusal("labels", "an array of more than two dimensions, or no numbers")
    if {value for row in rows for value in row} <= {0, 1}:
        sums = [int(sum(column)) for column in zip(*rows, strict=True)]
        return {str(place): count for place, count in enumerate(sums) if count}
    if any(min(row) < 0 or abs(sum(row) - 1.0) > 1e-2 for row in rows):
        raise _refusal("labels", "a matrix that holds neither 0 and 1 nor probabilities")
    return {str(place): count for place, count in Counter(map(_greatest, rows)).items()}


def _greatest(row: Sequence[float]) -> int:
    return row.index(max(row))


def _class_name(value: Any) -> str:
    if isinstance(value, str) and len(value) <= MAX_NAME_CHARACTERS:
        return str(value)
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    raise _refusal("labels", repr(value)[:80])


def _names(sample_ids: Any) -> tuple[str, ...]:
    items = _items("sample_ids", sample_ids)
    kinds = set(map(type, items))
    if kinds == {int}:
        return tuple(map(str, items))
    names = tuple(items) if kinds == {str} else tuple(map(_name, items))
    if names and max(map(len, names)) > MAX_NAME_CHARACTERS:
        raise _refusal("sample_ids", f"a text of more than {MAX_NAME_CHARACTERS} characters")
    return names


def _name(value: Any) -> str:
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        return str(value)
    raise _refusal("sample_ids", f"a {type(value).__name__}")


def _lengths(sequence_lengths: Any) -> tuple[int, ...]:
    items = _items("sequence_lengths", sequence_lengths)
    if set(map(type, items)) != {int}:
        items = [_length(item) for item in items]
    if items and min(items) < 0:
        raise _refusal("sequence_lengths", repr(min(items)))
    return tuple(items)


def _length(value: Any) -> int:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if is_int or (isinstance(value, float) and value.is_integer()):
        return int(value)
    raise _refusal("sequence_lengths", repr(value)[:80])


def _size(value: Any) -> int:
    plain = value.item() if hasattr(value, "item") else value
    if type(plain) is not int or plain < 0:
        raise SchemaValidationError(
            f"batch_size or a class count is {value!r}; it must be an integer of 0 or more."
        )
    return plain


def _items(what: str, values: Any) -> list[Any]:
    """Return the entries of a list, array or tensor, in one copy from the device."""
    if type(values) is not list:
        values = _plain(values)
        if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
            raise _refusal(what, f"a single {type(values).__name__}")
        values = list(values)
    if values and hasattr(values[0], "tolist"):  # numpy scalars, or tensors in a list
        return [_plain(value) for value in values]
    return values  # type: ignore[no-any-return]


def _plain(values: Any) -> Any:
    if hasattr(values, "detach"):
        values = values.detach()
    return values.tolist() if hasattr(values, "tolist") else values


def _refusal(what: str, found: str) -> SchemaValidationError:
    return SchemaValidationError(
        f"{what} hold {found}, which is not valid: they must be {_WAY_OUT[what]}. Samples "
        "themselves are never kept."
    )
