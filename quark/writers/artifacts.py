"""Artifacts: whatever a run leaves behind that is no scalar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from quark import jsonio
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.errors import SchemaValidationError, SessionStoreError
from quark.naming import MetricName, check_segment, split_artifact_name
from quark.records import ArtifactRecord, EventRecord
from quark.session.events import check_index
from quark.session.intake import timestamp_us
from quark.session.resolve import Target
from quark.storage.model import RecordFilter
from quark.storage.protocols import Store
from quark.writers.artifact_files import NO_PATHS, ArtifactPaths, place_files
from quark.writers.artifact_histogram import Numbers, histogram_payload
from quark.writers.artifact_payload import Payload, check_format, decode_payload, opened_payload
from quark.writers.artifact_reading import open_verified, read_verified
from quark.writers.artifact_retention import RetentionHook, RetentionHooks, checked_hooks
from quark.writers.base import RecordWriter
from quark.writers.filters import step_range


class ArtifactStore(RecordWriter[ArtifactRecord]):
    """Stores payloads of a run and reads them back, verified.

    A payload goes to the store at once and is synced to its disk before ``store`` returns, unlike
    what other writers log: expect milliseconds, and store from where that does not matter. Equal
    payloads are kept once. Nothing is ever deleted here: other artifacts may have the same content.

    Args:
        session: A session, or the context of a run.
        retention_hooks: Each is called with this object and the record after an artifact was
            stored. What a hook stores calls no hooks.
        raise_on_retention_error: Whether the exception of a hook is raised; if it is left out, in
            strict runs only. Otherwise it is said once and counted.

    >>> import tempfile
    >>> from quark import TrainingSession
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with ArtifactStore(session) as artifacts:
    ...         record = artifacts.store("tensor_summary", "encoder/weights", {"mean": 0.02})
    ...         artifacts.load(record)
    {'mean': 0.02}
    """

    def __init__(
        self,
        session: Target,
        *,
        retention_hooks: Sequence[RetentionHook] | None = None,
        raise_on_retention_error: bool | None = None,
    ) -> None:
        hooks = checked_hooks(retention_hooks)
        super().__init__(session, batch_size=100)
        self._retention = RetentionHooks(
            hooks, raise_on_error=raise_on_retention_error, faults=self._handle.faults
        )

    def store(
        self,
        artifact_type: str,
        name: str,
        payload: Any,
        *,
        step: int | None = None,
        epoch: int | None = None,
        namespace: str | None = None,
        payload_format: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
    ) -> ArtifactRecord:
        """Store one payload.

        Args:
            artifact_type: What it is, in one word such as ``histogram``, ``tensor_summary`` or
                ``checkpoint_metadata``.
            name: A full key such as ``layers/encoder/weights``, or a name within ``namespace``.
            payload: A string; bytes; a file object opened in binary mode, which is read from where
                it stands and not closed; a ``pathlib.Path``, which means the content of that file;
                or anything that JSON can hold. Files are streamed in constant memory.
            step: Counted from 0.
            epoch: Counted from 0.
            payload_format: ``json``, ``text`` or ``bytes``; follows from the payload if it is left
                out. Numbers in JSON that are not finite come back as strings such as ``"NaN"``.
            metadata: Anything that JSON can hold.
            timestamp: ISO 8601; now if it is left out.

        Returns:
            The record. Its paths are relative to ``session.context.store_root``. In the mode
            ``disabled``, and where the store could not take the payload (said once, and kept as an
            ``artifact_lost`` event), its ``id`` and ``sha256`` are empty.

        Raises:
            SchemaValidationError: An argument breaks a rule.
            SessionStoreError: The store cannot take the payload, and the run is strict.
            WriterClosedError: This was closed or the run has ended.
        """
        self._check_open()
        check_segment("Artifact type", artifact_type)
        key = split_artifact_name(name, namespace)
        check_index("step", step)
        check_index("epoch", epoch)
        if timestamp is not None:
            timestamp_us(timestamp)
        fields: dict[str, Any] = {
            "artifact_type": artifact_type,
            "artifact_key": key.key,
            "namespace": key.namespace,
            "artifact_name": key.name,
            "step": step,
            "epoch": epoch,
            "metadata": _plain(metadata),
        }
        with opened_payload(payload, payload_format) as opened:
            fields["payload_format"] = opened.payload_format
            if self._handle.settings.mode == "disabled":
                return self._not_kept(fields, timestamp)
            try:
                with self._handle.at_rest() as store:
                    fields |= self._put(store, key, opened, fields)
            except SessionStoreError as error:
                self._lament(fields, error)
                return self._not_kept(fields, timestamp)
        record = self._add(self._handle.emit(ArtifactRecord, timestamp=timestamp, **fields))
        self._retention.call(self, record)
        return record

    def log_histogram(
        self,
        name: str,
        *,
        bins: Numbers,
        counts: Numbers,
        step: int | None = None,
        epoch: int | None = None,
        namespace: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
    ) -> ArtifactRecord:
        """Store a histogram, of the type ``histogram``; loads as ``{"bins": .., "counts": ..}``.

        Args:
            name: As in :meth:`store`.
            bins: Edges of the bins, shape ``(n + 1,)``, finite and ascending.
            counts: What was counted in each, shape ``(n,)``, finite, 0 or more; weights are fine.
                Both may be lists, tuples, numpy arrays or tensors.

        Raises:
            SchemaValidationError: An argument breaks a rule.
            SessionStoreError: The store cannot take it, and the run is strict.
            WriterClosedError: This was closed or the run has ended.
        """
        self._check_open()
        return self.store(
            "histogram",
            name,
            histogram_payload(bins, counts),
            step=step,
            epoch=epoch,
            namespace=namespace,
            payload_format="json",
            metadata=metadata,
            timestamp=timestamp,
        )

    def log_snapshot(
        self,
        name: str,
        payload: Any,
        *,
        snapshot_type: str = "batch_diagnostics_snapshot",
        step: int | None = None,
        epoch: int | None = None,
        namespace: str | None = None,
        payload_format: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
    ) -> ArtifactRecord:
        """Store a snapshot; the same as :meth:`store` with ``snapshot_type`` as its type."""
        return self.store(
            snapshot_type,
            name,
            payload,
            step=step,
            epoch=epoch,
            namespace=namespace,
            payload_format=payload_format,
            metadata=metadata,
            timestamp=timestamp,
        )

    def read(
        self,
        *,
        artifact_id: str | None = None,
        artifact_type: str | None = None,
        artifact_types: Iterable[str] | None = None,
        namespace: str | None = None,
        artifact_name: str | None = None,
        artifact_key: str | None = None,
        payload_format: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        limit: int | None = None,
    ) -> tuple[ArtifactRecord, ...]:
        """Return records in the order in which they were stored; ``limit`` keeps the newest.

        ``artifact_name`` is the last part of the key; ``artifact_types`` adds to ``artifact_type``.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        named = {
            "id": artifact_id,
            "namespace": namespace,
            "artifact_name": artifact_name,
            "artifact_key": artifact_key,
            "payload_format": None if payload_format is None else check_format(payload_format),
        }
        wanted: dict[str, Any] = {name: word for name, word in named.items() if word is not None}
        types = tuple(artifact_types or ())
        types += (artifact_type,) if artifact_type is not None else ()
        if types or artifact_types is not None:
            wanted["artifact_type"] = tuple(check_segment("Artifact type", word) for word in types)
        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, limit)
        with self._handle.reading() as store:
            where = RecordFilter(steps=steps, equals=wanted)
            return store.records.read(ArtifactRecord, self._handle.run_id, where)

    def load(self, artifact: str | ArtifactRecord) -> Any:
        """Return a payload: a JSON value, a string or bytes, verified against its SHA-256.

        Args:
            artifact: A record, or the id of one of this run.

        Raises:
            DamagedFileError: The payload was changed on disk, or is not there any more.
            SessionStoreError: There is no artifact with this id, nothing was kept because the mode
                is ``disabled``, or the store does not answer.
        """
        record = self._found(artifact)
        with self._handle.at_rest() as store:
            content = read_verified(store, record)
        return decode_payload(record.payload_format, content)

    def open(self, artifact: str | ArtifactRecord) -> BinaryIO:
        """Return a payload as a binary stream that can seek; for what does not fit into memory.

        It is read once to verify it before it is handed out. The caller closes it.

        Raises:
            DamagedFileError: The payload was changed on disk, or is not there any more.
            SessionStoreError: As in :meth:`load`.
        """
        record = self._found(artifact)
        with self._handle.at_rest() as store:
            return open_verified(store, record)

    def _put(
        self, store: Store, key: MetricName, opened: Payload, fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        sha256, size_bytes = store.blobs.put(opened.source)
        kept = {"sha256": sha256, "size_bytes": size_bytes}
        paths = self._place(store, key, opened.suffix, {**fields, **kept})
        return {
            **kept,
            "payload_relative_path": paths.payload,
            "metadata_relative_path": paths.metadata,
        }

    def _place(
        self, store: Store, key: MetricName, suffix: str, description: Mapping[str, Any]
    ) -> ArtifactPaths:
        run_id = self._handle.run_id
        run_dir = store.run_dir(run_id)
        if run_dir is None:
            return NO_PATHS
        try:
            return place_files(
                run_dir,
                run_id=run_id,
                artifact_type=description["artifact_type"],
                name=key,
                sha256=description["sha256"],
                suffix=suffix,
                description={"run_id": run_id, **description},
            )
        except OSError as error:  # the payload itself is safe
            self._handle.faults.record("the readable files of an artifact are missing", error)
            return NO_PATHS

    def _found(self, artifact: str | ArtifactRecord) -> ArtifactRecord:
        if self._handle.settings.mode == "disabled":
            raise SessionStoreError("Nothing was kept to load: the mode is 'disabled'.")
        if isinstance(artifact, ArtifactRecord):
            return artifact
        if not isinstance(artifact, str):
            raise SchemaValidationError(
                f"{artifact!r} of type {type(artifact).__name__} is no artifact; pass an "
                "ArtifactRecord or its id."
            )
        found = self.read(artifact_id=artifact)
        if not found:
            raise SessionStoreError(
                f"Run {self._handle.run_id!r} has no artifact {artifact!r}; read() lists those "
                "that it has."
            )
        return found[0]

    def _lament(self, fields: Mapping[str, Any], error: SessionStoreError) -> None:
        self._handle.faults.record("the payload of an artifact could not be stored", error)
        self._handle.emit(
            EventRecord,
            event_type="artifact_lost",
            severity="error",
            step=fields["step"],
            epoch=fields["epoch"],
            payload={
                "artifact_type": fields["artifact_type"],
                "artifact_key": fields["artifact_key"],
                "reason": str(error),
            },
        )

    def _not_kept(self, fields: Mapping[str, Any], timestamp: str | None) -> ArtifactRecord:
        time_us = SYSTEM_CLOCK.time_us() if timestamp is None else timestamp_us(timestamp)
        return ArtifactRecord(
            id="", run_id=self._handle.run_id, timestamp=format_timestamp(time_us), **fields
        )


def _plain(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    if metadata is not None and not isinstance(metadata, Mapping):
        raise SchemaValidationError(
            f"metadata {metadata!r} of type {type(metadata).__name__} is not valid: it must be a "
            "mapping."
        )
    plain: dict[str, Any] = jsonio.to_plain(metadata or {})
    return plain
