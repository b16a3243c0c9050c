"""The schema: one valid record of every kind, and every rule broken once."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.records import (
    RECORD_KINDS,
    AlertRecord,
    AnalysisRecord,
    ArchitectureEdge,
    ArchitectureModule,
    ArchitectureNode,
    ArtifactRecord,
    BatchDiagnosticRecord,
    ConfigUpdateRecord,
    ConsoleLineRecord,
    EventRecord,
    EvidenceRecord,
    HealthScoreRecord,
    HistoryValueRecord,
    LateRowRecord,
    LayerSummaryRecord,
    MetricDefinitionRecord,
    MetricNoteRecord,
    MetricRecord,
    ModelArchitectureRecord,
    NestedKeyRecord,
    ParameterDistributionRecord,
    ParameterSummaryRecord,
    PhaseRecord,
    ProjectRecord,
    Record,
    RunContext,
    RunRecord,
    RunUpdateRecord,
    SpanRecord,
    SummaryUpdateRecord,
    SystemTelemetryRecord,
    TrainingLoopRecord,
)
from quark.schema import CURRENT_SCHEMA_VERSION, dump_record, validate_record
from quark.schema.validate import AnyRecord

ENVELOPE: dict[str, Any] = {
    "id": "w1-1",
    "run_id": "run_1",
    "timestamp": "2026-05-07T00:00:00.000001Z",
}
EVIDENCE = EvidenceRecord(
    kind="metric",
    source="val/loss",
    summary="It rose.",
    observed_value=0.4,
    step_start=1,
    step_end=9,
)
PROJECT = ProjectRecord(id="proj_1", name="p", created_at="2026-05-07T00:00:00Z")
RUN = RunRecord(
    **{**ENVELOPE, "id": "run_1"},
    project_id="proj_1",
    project_name="image classifier",
    tags=("baseline",),
    exit_code=-9,
    created_at="2026-05-07T00:00:00Z",
    config={"lr": 0.1, "nested": {"a": [1, None]}},
)
PARAMETER: dict[str, Any] = {
    "step": 0,
    "module_name": "",
    "module_type": "Linear",
    "parameter_name": "weight",
    "parameter_role": "weight",
}
MODULE = ArchitectureModule(
    module_name="",
    module_type="Linear",
    depth=0,
    leaf=True,
    own_parameter_count=3,
    parameter_count=3,
    trainable_parameter_count=2,
    parameter_shapes={"weight": [1, 2], "bias": [1]},
)
NODE = ArchitectureNode(node_id=0, module_name="", module_type="Linear", output_shapes=((4, 1), ()))
#: One of every kind, with what may be left out left out.
VALID: dict[str, AnyRecord] = {
    "run": RUN,
    "run_update": RunUpdateRecord(
        **ENVELOPE, changes={"status": "completed", "later": 1}, add_tags=("a b",)
    ),
    "config_update": ConfigUpdateRecord(**ENVELOPE, values={"lr": math.nan}, removed=("a",)),
    "summary_update": SummaryUpdateRecord(**ENVELOPE, values={"best": 1}),
    "metric": MetricRecord(
        **ENVELOPE, metric_key="a/b", namespace="a", metric_name="b", value=1, epoch=0
    ),
    "metric_note": MetricNoteRecord(**ENVELOPE, metric_key="loss", metadata={"unit": "nats"}),
    "metric_definition": MetricDefinitionRecord(
        **ENVELOPE, name="val/*", summary=("min", "last"), goal="minimize"
    ),
    "nested_key": NestedKeyRecord(**ENVELOPE, key="a.b", path=("a", "b")),
    "late_row": LateRowRecord(**ENVELOPE, seq=7, keys=("loss",), step=3),
    "history_value": HistoryValueRecord(**ENVELOPE, key="a b ü", value={"a": [1]}),
    "event": EventRecord(**ENVELOPE, event_type="run_started", payload={"a": 1}),
    "console_line": ConsoleLineRecord(**ENVELOPE, stream="stdout", text=""),
    "system_telemetry": SystemTelemetryRecord(
        **ENVELOPE, boundary="time", cpu_usage_percent=100.0, step_time_ms=0.5
    ),
    "layer_summary": LayerSummaryRecord(
        **ENVELOPE,
        step=0,
        module_name="",
        module_type="ReLU",
        summary_type="activation",
        hook_direction="forward",
        element_count=0,
        tensor_shape=(2, 3),
        mean=math.nan,
        dead_unit_ratio=1.0,
    ),
    "parameter_summary": ParameterSummaryRecord(
        **ENVELOPE, **PARAMETER, element_count=6, value_norm=math.inf, update_to_value_ratio=7.0
    ),
    "parameter_distribution": ParameterDistributionRecord(
        **ENVELOPE,
        **PARAMETER,
        distribution_type="value",
        bin_edges=(-1.0, 0.0, 1.0),
        counts=(12, 4),
        sample_count=16,
        total_count=16,
    ),
    "model_architecture": ModelArchitectureRecord(
        **ENVELOPE,
        model_name="model",
        model_type="Linear",
        parameter_count=3,
        trainable_parameter_count=2,
        frozen_parameter_count=1,
        buffer_count=0,
        parameter_bytes=12,
        buffer_bytes=0,
        parameter_counts_by_dtype={"float32": 3},
        shared_parameters=(("a.weight", "b.weight"),),
        modules=(MODULE,),
        nodes=(NODE,),
        edges=(ArchitectureEdge(source_id=0, target_id=0),),
    ),
    "training_loop": TrainingLoopRecord(
        **ENVELOPE,
        step=9,
        model_name="Linear",
        forward_count=10,
        optimizer_step_count=10,
        step_seconds=0.1,
        stale_gradient_norm=0.0,
        padding_ratio=0.5,
        metadata={"loss": "cross_entropy", "target_counts": {"3": 8}},
    ),
    "batch_diagnostic": BatchDiagnosticRecord(
        **ENVELOPE, loss=math.nan, class_counts={"cat": 3}, sample_ids=("", "x")
    ),
    "artifact": ArtifactRecord(
        **ENVELOPE,
        artifact_type="histogram",
        artifact_key="layers/encoder/activation",
        namespace="layers/encoder",
        artifact_name="activation",
        payload_format="json",
        sha256="0a" * 32,
    ),
    "analysis": AnalysisRecord(
        **ENVELOPE, family="alerts", analysis_id="a1", output_count=3, metadata={"rules": 6}
    ),
    "alert": AlertRecord(
        **ENVELOPE,
        rule_id="overfitting_onset",
        category="generalization",
        severity="warning",
        title="Overfitting",
        summary="",
        fact="The gap is 0.4.",
        inference="It overfits.",
        evidence=(EVIDENCE,),
    ),
    "health_score": HealthScoreRecord(
        **ENVELOPE, score_key="overall", category="overall", score=100, status="healthy"
    ),
    "phase": PhaseRecord(
        **ENVELOPE,
        phase_name="stagnation",
        display_name="Stagnation",
        summary="Flat.",
        step_start=3,
        step_end=3,
    ),
    "span": SpanRecord(
        **ENVELOPE, name="load", span_id="1", trace_id="2", duration_ms=0.0, events=({"a": 1},)
    ),
    "project": PROJECT,
    "run_context": RunContext(
        storage_dir="/data", store_root="/data/.quark", db_path="/data/i", project=PROJECT, run=RUN
    ),
    "evidence": EVIDENCE,
}

Broken = tuple[str, str, Any, str]
BROKEN: list[Broken] = [
    # the envelope, which all kinds share
    ("event", "id", "", "not be empty"),
    ("event", "id", 3, "be a string"),
    ("event", "run_id", "../x", "follow the grammar of names"),
    ("event", "timestamp", "yesterday", "be a time in ISO 8601"),
    ("event", "timestamp", "", "not be empty"),
    # types
    ("event", "step", -1, "be a whole number of 0 or more"),
    ("event", "step", 1.0, "be a whole number of 0 or more"),
    ("event", "step", True, "be a whole number of 0 or more"),
    ("event", "payload", [1], "be a mapping"),
    ("event", "payload", {"f": print}, "be JSON-serializable"),
    ("event", "payload", None, "be a mapping"),
    ("event", "status", 3, "be a string"),
    ("run", "tags", ["a"], "be a tuple"),
    ("run", "tags", (3,), "hold items that each be a string"),
    ("run", "strict_mode", 1, "be True or False"),
    ("run", "exit_code", 1.5, "be a whole number"),
    ("layer_summary", "mean", "0.5", "be a number"),
    ("layer_summary", "step", None, "be a whole number of 0 or more"),
    ("layer_summary", "tensor_shape", (2, -3), "hold items that each be a whole number"),
    ("batch_diagnostic", "class_counts", {"a": -1}, "hold values that each be a whole number"),
    ("batch_diagnostic", "class_counts", {1: 1}, "have strings as keys"),
    ("batch_diagnostic", "sequence_lengths", (1.5,), "hold items that each be a whole number"),
    ("history_value", "value", object(), "be JSON-serializable"),
    # words
    ("run", "status", "finished", "be one of 'running', 'completed', 'failed', 'interrupted'"),
    ("event", "severity", "Warning", "be one of 'debug', 'info', 'warning', 'error', 'critical'"),
    ("console_line", "stream", "log", "be one of 'stdout', 'stderr'"),
    ("system_telemetry", "boundary", "epoch", "be one of 'step', 'time'"),
    ("layer_summary", "summary_type", "weight", "be one of 'activation', 'gradient'"),
    ("layer_summary", "hook_direction", "up", "be one of 'forward', 'backward'"),
    ("parameter_summary", "parameter_role", "w", "be one of 'weight', 'bias', 'other'"),
    ("parameter_distribution", "distribution_type", "w", "be one of 'value', 'gradient', 'update'"),
    ("artifact", "payload_format", "yaml", "be one of 'json', 'text', 'bytes'"),
    ("alert", "severity", "debug", "be one of 'info', 'warning', 'error', 'critical'"),
    ("alert", "category", "overall", "be one of 'optimization', 'representation'"),
    ("analysis", "family", "scores", "be one of 'alerts', 'phases'"),
    ("health_score", "score_key", "total", "be one of 'overall', 'optimization'"),
    ("health_score", "status", "fine", "be one of 'healthy', 'watch', 'degraded', 'critical'"),
    ("span", "status", "", "be one of 'ok', 'error'"),
    ("metric_definition", "goal", "up", "be one of 'minimize', 'maximize'"),
    ("metric_definition", "summary", ("median",), "hold only 'min', 'max'"),
    # names
    ("event", "event_type", "Run started", "event type 'Run started'"),
    ("metric", "metric_key", "a//b", "segment ''"),
    ("metric_note", "metric_key", "", "not be empty"),
    ("artifact", "artifact_type", "a/b", "artifact type 'a/b'"),
    ("artifact", "artifact_key", "a b", "segment 'a b'"),
    ("artifact", "sha256", "0A" * 32, "be 64 lowercase hexadecimal digits"),
    ("run", "project_name", "a/b", "project name 'a/b'"),
    ("run", "tags", (" ",), "tag ' '"),
    ("run_update", "add_tags", ("x" * 257,), "at most 256"),
    ("project", "name", "", "not be empty"),
    ("history_value", "key", "x" * 513, "have 1 to 512 bytes as UTF-8, not 513"),
    ("metric_definition", "name", "\ud800", "be text that can be written as UTF-8"),
    ("alert", "rule_id", "", "not be empty"),
    # numbers
    ("metric", "value", math.nan, "be finite"),
    ("metric", "value", -math.inf, "be finite"),
    ("metric", "value", "1", "be a number"),
    ("health_score", "score", 100.1, "be from 0 to 100"),
    ("health_score", "score", math.nan, "be from 0 to 100"),
    ("layer_summary", "dead_unit_ratio", 1.01, "be from 0 to 1"),
    ("layer_summary", "std", -0.1, "not be below 0"),
    ("system_telemetry", "cpu_usage_percent", 101.0, "be from 0 to 100"),
    ("system_telemetry", "step_time_ms", -1.0, "not be below 0"),
    ("system_telemetry", "overflow_count", -1, "be a whole number of 0 or more"),
    ("parameter_summary", "value_norm", -1.0, "not be below 0"),
    ("span", "duration_ms", -1.0, "not be below 0"),
    # between fields
    ("metric", "epoch", None, "be set, or epoch must be"),
    ("metric", "namespace", None, "be 'a', since metric_key is 'a/b'"),
    ("metric", "metric_name", "c", "be 'b', since metric_key is 'a/b'"),
    ("artifact", "artifact_name", "x", "be 'activation', since artifact_key is"),
    ("run", "id", "run_2", "be the same as id, which is 'run_2'"),
    ("run_update", "changes", {"status": "finished"}, "set status to one of 'running'"),
    ("run_update", "changes", {"tags": "abc"}, "set tags to a list or tuple"),
    ("run_update", "changes", {"tags": [""]}, "tag ''"),
    ("system_telemetry", "boundary", "step", "be set, since boundary is 'step'"),
    ("parameter_distribution", "bin_edges", (0.0, 1.0), "have one element more than counts"),
    ("parameter_distribution", "bin_edges", (0.0, 2.0, 1.0), "not decrease"),
    ("parameter_distribution", "sample_count", 17, "not be above total_count, which is 16"),
    ("phase", "step_end", 2, "not be before step_start, which is 3"),
    ("evidence", "step_end", 0, "not be before step_start, which is 1"),
    # inside of others
    (
        "model_architecture",
        "modules",
        (dataclasses.replace(MODULE, depth=-1),),
        "be valid: its depth is -1, but must be a whole number of 0 or more",
    ),
    (
        "model_architecture",
        "nodes",
        (dataclasses.replace(NODE, output_shapes=((True,),)),),
        "hold items that each hold items that each be a whole number",
    ),
    ("model_architecture", "edges", ((0, 1),), "be of type ArchitectureEdge"),
    ("alert", "evidence", ("x",), "be of type EvidenceRecord"),
    (
        "alert",
        "evidence",
        (dataclasses.replace(EVIDENCE, kind=""),),
        "be valid: its kind is '', but must not be empty",
    ),
    ("run_context", "run", PROJECT, "be of type RunRecord"),
    ("run_context", "run", dataclasses.replace(RUN, status="x"), "its status is 'x'"),
]


#: Where the message may name the other one of two fields that do not fit together.
BETWEEN_FIELDS = {"metric", "run", "system_telemetry"}


def test_every_kind_of_record_is_in_the_tables_of_this_test() -> None:
    assert {kind for kind in VALID if kind in RECORD_KINDS} == set(RECORD_KINDS)


@pytest.mark.parametrize("kind", VALID)
def test_a_valid_record_of_every_kind_is_taken_and_dumped(kind: str) -> None:
    record = VALID[kind]

    validate_record(record)
    dumped = dump_record(record)

    expected = {"schema_version": CURRENT_SCHEMA_VERSION, "kind": kind, **record.to_dict()}
    assert dumped == expected
    assert jsonio.loads(jsonio.dumps(dumped)) == dumped
    assert dumped["kind"] == ("metric" if kind == "evidence" else kind)


@pytest.mark.parametrize(("kind", "field", "value", "rule"), BROKEN)
def test_a_broken_rule_is_refused_with_the_kind_the_field_the_value_and_the_rule(
    kind: str, field: str, value: object, rule: str
) -> None:
    valid: Any = VALID[kind]
    record = dataclasses.replace(valid, **{field: value})

    with pytest.raises(SchemaValidationError) as raised:
        validate_record(record)

    message = str(raised.value)
    assert message.startswith(f"Record {kind!r} is not valid: ")
    assert f": {field} is " in message or kind in BETWEEN_FIELDS
    assert rule.lower() in message.lower()
    with pytest.raises(SchemaValidationError):
        dump_record(record)


@pytest.mark.parametrize("thing", [None, {}, "metric", EventRecord, Record(**ENVELOPE)])
def test_what_is_no_record_is_refused(thing: Any) -> None:
    with pytest.raises(SchemaValidationError, match="is no Quark record"):
        validate_record(thing)


def test_a_long_value_is_shortened_in_the_message() -> None:
    record = HistoryValueRecord(**ENVELOPE, key="x" * 100_000)

    with pytest.raises(SchemaValidationError) as raised:
        validate_record(record)

    assert len(str(raised.value)) < 400
