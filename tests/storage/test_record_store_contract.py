"""What every store promises about runs, projects and records."""

from __future__ import annotations

from typing import Any

import pytest

from quark import ids, jsonio
from quark.analyzers.outputs import current_outputs
from quark.errors import RunNotFoundError, SchemaValidationError
from quark.records import (
    RECORD_KINDS,
    AlertRecord,
    ConfigUpdateRecord,
    ConsoleLineRecord,
    EventRecord,
    EvidenceRecord,
    HealthScoreRecord,
    LayerSummaryRecord,
    RunRecord,
)
from quark.records.codec import encode_body
from quark.storage.model import EncodedRecord, RecordFilter, RunQuery, StepRange
from quark.storage.protocols import Store
from tests.storage.building import START_US, batch, create_run, log, losses, record, run_record

# -- runs ----------------------------------------------------------------------------------------


def test_a_run_comes_back_with_its_fields_and_its_times(store: Store) -> None:
    create_run(store, name="baseline", tags=["a", "b"], config={"lr": 0.1, "big": "NaN"})

    run = store.records.get_run("run-1")

    assert (run.id, run.run_id, run.name, run.status) == ("run-1", "run-1", "baseline", "running")
    assert run.tags == ("a", "b")
    assert run.config == {"lr": 0.1, "big": "NaN"}
    assert run.timestamp == run.created_at == run.updated_at == "2001-09-09T01:46:40.000000Z"


def test_updates_are_folded_into_the_run_in_order(store: Store) -> None:
    create_run(store, config={"lr": 0.1, "layers": 2}, tags=["a"])

    store.append(
        batch(
            1,
            4,
            record(1, "config_update", values={"lr": 0.2}, removed=["layers"]),
            record(2, "summary_update", values={"best": 0.9}),
            record(3, "run_update", changes={"status": "completed"}, add_tags=["b", "a"]),
            record(4, "run_update", changes={"name": "done", "id": "other", "new_field": 1}),
        )
    )

    for run in (store.records.get_run("run-1"), *store.records.list_runs()):
        assert run.config == {"lr": 0.2}
        assert run.summary == {"best": 0.9}
        assert (run.id, run.status, run.name, run.tags) == (
            "run-1",
            "completed",
            "done",
            ("a", "b"),
        )
        assert run.updated_at == "2001-09-09T01:46:40.000004Z"


def test_an_update_delivered_again_is_not_folded_again(store: Store) -> None:
    create_run(store)
    old = batch(1, 1, record(1, "run_update", changes={"name": "old"}))
    store.append(old)
    store.append(batch(2, 2, record(2, "run_update", changes={"name": "new"})))

    store.append(old)

    assert store.records.get_run("run-1").name == "new"
    assert [run.name for run in store.records.list_runs()] == ["new"]


def test_a_status_change_that_is_not_allowed_is_recorded_all_the_same(store: Store) -> None:
    create_run(store, status="completed")

    store.append(batch(1, 1, record(1, "run_update", changes={"status": "running"})))

    assert store.records.get_run("run-1").status == "running"


def test_changed_runs_are_those_whose_marks_are_not_known(store: Store) -> None:
    assert store.records.changed_runs({}) == ({}, ())
    for number in range(3):
        create_run(store, f"run-{number}", name=f"number {number}")

    marks, changed = store.records.changed_runs({})
    assert set(marks) == {run.id for run in changed} == {"run-0", "run-1", "run-2"}
    assert {run.id: run for run in changed} == {run.id: run for run in store.records.list_runs()}
    assert store.records.changed_runs(marks) == (marks, ())

    update = record(1, "summary_update", values={"best": 0.9})
    store.append(batch(1, 1, update, run_id="run-1"))
    later, changed = store.records.changed_runs(marks)
    assert [(run.id, run.summary) for run in changed] == [("run-1", {"best": 0.9})]
    assert {name for name in marks if later[name] != marks[name]} == {"run-1"}

    store.records.delete_run("run-0")
    store.records.delete_run("run-2")
    create_run(store, "run-2", name="another one", time_us=START_US + 7)
    last, changed = store.records.changed_runs(later)
    assert set(last) == {"run-1", "run-2"}
    assert [(run.id, run.name) for run in changed] == [("run-2", "another one")]


def test_an_unknown_run_is_not_found(store: Store) -> None:
    create_run(store)

    for call in (
        lambda: store.records.get_run("nope"),
        lambda: store.records.read(EventRecord, "nope"),
        lambda: store.records.count("nope"),
        lambda: store.records.delete_run("nope"),
    ):
        with pytest.raises(RunNotFoundError, match="nope"):
            call()


@pytest.fixture
def five_runs(store: Store) -> Store:
    runs: list[dict[str, Any]] = [
        {"project_name": "vision", "tags": ["a"], "group": "g"},
        {"project_name": "vision", "tags": ["a", "b"], "status": "failed"},
        {"project_name": "text", "tags": ["b"], "workspace": "team", "project_id": "proj_t"},
        {"project_name": "text", "group": "g", "project_id": "proj_t"},
        {"project_name": "vision", "created_at": "1999-01-01T00:00:00Z"},
    ]
    for number, fields in enumerate(runs):
        create_run(store, f"run-{number}", time_us=START_US + number, **fields)
    return store


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(RunQuery(), [3, 2, 1, 0, 4], id="newest-first"),
        pytest.param(RunQuery(newest_first=False), [4, 0, 1, 2, 3], id="oldest-first"),
        pytest.param(RunQuery(project="vision"), [1, 0, 4], id="project-by-name"),
        pytest.param(RunQuery(project="proj_t"), [3, 2], id="project-by-id"),
        pytest.param(RunQuery(workspace="team"), [2], id="workspace"),
        pytest.param(RunQuery(status="failed"), [1], id="status"),
        pytest.param(RunQuery(group="g"), [3, 0], id="group"),
        pytest.param(RunQuery(tags=("b",)), [2, 1], id="one-tag"),
        pytest.param(RunQuery(tags=("b", "a")), [1], id="all-tags"),
        pytest.param(RunQuery(tags=("c",)), [], id="no-such-tag"),
        pytest.param(RunQuery(limit=2), [3, 2], id="limit"),
        pytest.param(RunQuery(limit=2, offset=1), [2, 1], id="page"),
        pytest.param(RunQuery(offset=4), [4], id="offset-alone"),
        pytest.param(RunQuery(limit=0), [], id="limit-0"),
        pytest.param(RunQuery(project="text", group="g", limit=5), [3], id="together"),
    ],
)
def test_runs_are_listed_by(five_runs: Store, query: RunQuery, expected: list[int]) -> None:
    found = [run.id for run in five_runs.records.list_runs(query)]

    assert found == [f"run-{number}" for number in expected]


def test_projects_are_those_of_the_runs_by_name(five_runs: Store) -> None:
    projects = five_runs.records.list_projects()

    assert [(project.name, project.workspace) for project in projects] == [
        ("text", "local"),
        ("text", "team"),
        ("vision", "local"),
    ]
    assert [project.id for project in projects] == [
        ids.project_id(workspace, name)
        for name, workspace in [("text", "local"), ("text", "team"), ("vision", "local")]
    ]
    assert projects[2].created_at == "1999-01-01T00:00:00Z"
    assert projects[2].updated_at == "2001-09-09T01:46:40.000004Z"


def test_an_empty_store_has_no_runs_and_no_projects(store: Store) -> None:
    assert store.records.list_runs() == ()
    assert store.records.list_projects() == ()


def test_a_deleted_run_is_gone_and_others_stay(store: Store) -> None:
    create_run(store, "run-1")
    create_run(store, "run-2")
    log(store, losses(1, [1.0]))

    store.records.delete_run("run-1")

    assert [run.id for run in store.records.list_runs()] == ["run-2"]
    with pytest.raises(RunNotFoundError):
        store.points.series("run-1", "loss")
    assert store.position("run-1", "w1") == 0


def test_a_deleted_run_can_be_created_again_from_nothing(store: Store) -> None:
    create_run(store, name="old")
    log(store, losses(1, [1.0], key="old-key"))
    store.records.delete_run("run-1")

    create_run(store, name="new")
    log(store, losses(1, [2.0], key="new-key"))

    assert store.records.get_run("run-1").name == "new"
    assert list(store.points.keys("run-1")) == ["new-key"]
    assert store.points.series("run-1", "new-key").value.tolist() == [2.0]


# -- records -------------------------------------------------------------------------------------


def test_records_come_back_with_their_envelope_in_order_of_arrival(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 2, record(2, event_type="b"), record(1, event_type="a", ordinal=3)))
    store.append(batch(1, 1, record(1, event_type="c", time_us=1_500_000), writer_id="w2"))

    events = store.records.read(EventRecord, "run-1")

    assert [(event.id, event.event_type) for event in events] == [
        ("w1-2", "b"),
        ("w1-1.3", "a"),
        ("w2-1", "c"),
    ]
    assert all(event.run_id == "run-1" for event in events)
    assert events[2].timestamp == "1970-01-01T00:00:01.500000Z"


def test_a_nested_record_comes_back_equal(store: Store) -> None:
    create_run(store)
    alert = AlertRecord(
        id="w1-1",
        run_id="run-1",
        timestamp="2001-09-09T01:46:40.000001Z",
        rule_id="loss_divergence",
        category="optimization",
        severity="error",
        title="Loss diverges",
        summary="…",
        fact="It rose.",
        inference="Too fast.",
        evidence=(
            EvidenceRecord(
                kind="metric", source="loss", summary="", observed_value=float("inf"), step_end=3
            ),
        ),
    )

    store.append(
        batch(1, 1, EncodedRecord(1, 0, "alert", None, None, START_US + 1, encode_body(alert)))
    )

    assert store.records.read(AlertRecord, "run-1") == (alert,)


def test_run_records_and_updates_are_kept_as_records_too(store: Store) -> None:
    create_run(store, name="mine")
    store.append(batch(1, 1, record(1, "config_update", values={"lr": 1})))

    assert [run.id for run in store.records.read(RunRecord, "run-1")] == ["run-1"]
    assert store.records.read(ConfigUpdateRecord, "run-1")[0].values == {"lr": 1}
    by_id = RecordFilter(equals={"id": "run-1"})
    assert [run.name for run in store.records.read(RunRecord, "run-1", by_id)] == ["mine"]


def test_count_says_how_many_there_are_of_each_kind(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 3, record(1), record(2), record(3, "console_line", stream="stdout")))

    assert store.records.count("run-1") == {"run": 1, "event": 2, "console_line": 1}


@pytest.fixture
def events(store: Store) -> Store:
    """Ten events, step 0 to 9, two steps an epoch, the last without step and epoch."""
    create_run(store)
    severities = ["info", "warning", "error"]
    places = [(step, step // 2) for step in range(9)]
    rows = [
        record(seq, step=step, epoch=epoch, event_type=f"e{seq}", severity=severities[seq % 3])
        for seq, (step, epoch) in enumerate([*places, (None, None)], 1)
    ]
    store.append(batch(1, 10, *rows))
    return store


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param(RecordFilter(), range(1, 11), id="all"),
        pytest.param(RecordFilter(steps=StepRange(step=3)), [4], id="step"),
        pytest.param(RecordFilter(steps=StepRange(step_min=7)), [8, 9], id="step-min"),
        pytest.param(RecordFilter(steps=StepRange(step_max=1)), [1, 2], id="step-max"),
        pytest.param(RecordFilter(steps=StepRange(step=3, step_min=4)), [], id="contradiction"),
        pytest.param(RecordFilter(steps=StepRange(epoch=1)), [3, 4], id="epoch"),
        pytest.param(
            RecordFilter(steps=StepRange(epoch_min=1, epoch_max=2, step_min=3)),
            [4, 5, 6],
            id="epoch-and-step",
        ),
        pytest.param(RecordFilter(steps=StepRange(limit=3)), [8, 9, 10], id="newest"),
        pytest.param(RecordFilter(steps=StepRange(limit=0)), [], id="limit-0"),
        pytest.param(RecordFilter(steps=StepRange(step_max=4, limit=2)), [4, 5], id="both"),
        pytest.param(RecordFilter(steps=StepRange(step_min=2**70)), [], id="beyond-64-bits"),
        pytest.param(RecordFilter(steps=StepRange(step_min=-(2**70))), range(1, 10), id="below"),
        pytest.param(RecordFilter(equals={"severity": "error"}), [2, 5, 8], id="field"),
        pytest.param(
            RecordFilter(equals={"severity": ("error", "info")}), [2, 3, 5, 6, 8, 9], id="one-of"
        ),
        pytest.param(RecordFilter(equals={"severity": ()}), [], id="none-of"),
        pytest.param(
            RecordFilter(equals={"severity": "error"}, steps=StepRange(limit=1)),
            [8],
            id="newest-of",
        ),
        pytest.param(RecordFilter(equals={"id": "w1-4"}), [4], id="id"),
        pytest.param(RecordFilter(equals={"id": ("w1-4", "w1-6.1", "junk")}), [4], id="ids"),
        pytest.param(RecordFilter(equals={"event_type": 5}), [], id="other-type"),
        pytest.param(
            RecordFilter(equals={"event_type": "e2", "severity": "error"}), [2], id="two-fields"
        ),
    ],
)
def test_records_are_selected_by(events: Store, where: RecordFilter, expected: Any) -> None:
    found = [event.event_type for event in events.records.read(EventRecord, "run-1", where)]

    assert found == [f"e{seq}" for seq in expected]


def test_a_field_that_was_not_written_is_selected_by_its_default(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 2, record(1), record(2, severity="error")))
    store.append(
        batch(3, 4, record(3, "artifact", artifact_type="t", artifact_key="k", artifact_name="n",
                           payload_format="text"), record(4))
    )  # fmt: skip

    found = store.records.read(EventRecord, "run-1", RecordFilter(equals={"severity": "info"}))
    without_namespace = store.records.read(
        RECORD_KINDS["artifact"], "run-1", RecordFilter(equals={"namespace": (None, "x")})
    )

    assert [event.id for event in found] == ["w1-1", "w1-4"]
    assert [artifact.id for artifact in without_namespace] == ["w1-3"]


def test_a_scan_gives_undecoded_records_of_some_kinds_and_goes_on_where_it_was_left(
    store: Store,
) -> None:
    create_run(store)
    layer: dict[str, Any] = {
        "module_name": "a",
        "module_type": "b",
        "summary_type": "gradient",
        "hook_direction": "backward",
        "element_count": 4,
        "norm": 0.5,
    }
    store.append(batch(1, 3, record(1), record(2, "layer_summary", step=7, **layer), record(3)))
    store.append(batch(1, 4, record(4), writer_id="w2"))

    first = [one for part in store.records.scan("run-1", ("layer_summary",)) for one in part]
    events = [one for part in store.records.scan("run-1", ("event",)) for one in part]
    both = [one for part in store.records.scan("run-1", ("event", "layer_summary")) for one in part]
    rest = [
        one
        for part in store.records.scan("run-1", ("event",), after=events[1].position)
        for one in part
    ]

    assert [(one.writer_id, one.seq, one.kind, one.step) for one in first] == [
        ("w1", 2, "layer_summary", 7)
    ]
    assert jsonio.loads(first[0].body)["norm"] == 0.5
    assert [(one.writer_id, one.seq) for one in events] == [("w1", 1), ("w1", 3), ("w2", 4)]
    assert both == sorted([*first, *events])
    assert rest == events[2:]
    assert list(store.records.scan("run-1", ("span",))) == []
    with pytest.raises(RunNotFoundError):
        next(iter(store.records.scan("run-2", ("event",))))


def test_a_scan_of_more_than_one_part_misses_and_repeats_nothing(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 12_001, *(record(seq) for seq in range(1, 12_002))))

    parts = list(store.records.scan("run-1", ("event",)))

    assert [one.seq for part in parts for one in part] == list(range(1, 12_002))


def test_thousands_of_ids_can_be_asked_for_at_once(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 2000, *(record(seq) for seq in range(1, 2001))))
    wanted = tuple(f"w1-{seq}" for seq in range(2, 2001, 2))

    found = store.records.read(EventRecord, "run-1", RecordFilter(equals={"id": wanted}))

    assert tuple(event.id for event in found) == wanted


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (RecordFilter(equals={"payload": "x"}), "'payload'.*event_type, id, severity"),
        (RecordFilter(equals={"severity": ["error"]}), "severity"),
        (RecordFilter(equals={"severity": 2**64}), "64 bits"),
        (RecordFilter(steps=StepRange(limit=-1)), "limit"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(
    store: Store, where: RecordFilter, message: str
) -> None:
    create_run(store)

    with pytest.raises(SchemaValidationError, match=message):
        store.records.read(EventRecord, "run-1", where)


def test_kinds_do_not_mix(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 2, record(1), record(2, "console_line", stream="stdout", text="hi")))

    assert [line.text for line in store.records.read(ConsoleLineRecord, "run-1")] == ["hi"]
    assert store.records.read(LayerSummaryRecord, "run-1") == ()


def test_a_run_made_again_by_its_own_writer_is_listed_once(store: Store) -> None:
    store.append(batch(1, 1, run_record()))
    store.append(batch(1, 1, run_record()))

    assert len(store.records.list_runs()) == 1
    assert len(store.records.read(RunRecord, "run-1")) == 1


# -- healths -------------------------------------------------------------------------------------


def _analysis(seq: int, name: str, **body: Any) -> EncodedRecord:
    return record(seq, "analysis", **{"family": "alerts", "analysis_id": name, **body})


def _score(seq: int, score: float, analysis: str | None = None, **body: Any) -> EncodedRecord:
    metadata = {} if analysis is None else {"analysis_id": analysis}
    given = {"score_key": "overall", "category": "overall", "status": f"at {score:g}"}
    return record(seq, "health_score", **{**given, "metadata": metadata, **body}, score=score)


#: What a run's only writer wrote, batch by batch, and how well the run is doing then.
JUDGED: dict[str, tuple[list[list[EncodedRecord]], float | None]] = {
    "not judged": ([], None),
    "by nobody's analysis": ([[_score(1, 41.5)]], 41.5),
    "analysis": ([[_score(1, 70.0, "a"), _analysis(2, "a")]], 70.0),
    "not closed": ([[_score(1, 70.0, "a")]], None),
    "closed later": ([[_score(1, 70.0, "a")], [record(2)], [_analysis(3, "a")]], 70.0),
    "replaced": (
        [[_score(1, 70.0, "a"), _analysis(2, "a")], [_score(3, 20.0, "b"), _analysis(4, "b")]],
        20.0,
    ),
    "replaced by silence": ([[_score(1, 70.0, "a"), _analysis(2, "a")], [_analysis(3, "b")]], None),
    "kept beside": (
        [
            [_score(1, 70.0, "a"), _analysis(2, "a")],
            [_analysis(3, "b", replaces_existing=False)],
        ],
        70.0,
    ),
    "replaced, but of another family": (
        [[_score(1, 70.0, "a"), _analysis(2, "a"), _analysis(3, "p", family="phases")]],
        70.0,
    ),
    "one side alone": ([[_score(1, 10.0, score_key="data")]], None),
    "the second attempt is unfinished": (
        [[_score(1, 70.0, "a"), _analysis(2, "a")], [_score(3, 5.0, "b")]],
        70.0,
    ),
}


def test_healths_are_what_reading_run_by_run_tells(store: Store) -> None:
    for run_id, (batches, _) in JUDGED.items():
        create_run(store, run_id)
        for content in batches:
            part = batch(content[0].seq, content[-1].seq, *content, run_id=run_id)
            store.append(part)
            store.append(part)  # delivered again

    found = store.records.healths()

    expected = {run_id: score for run_id, (_, score) in JUDGED.items() if score is not None}
    assert {run_id: health.score for run_id, health in found.items()} == expected
    assert found["analysis"].status == "at 70"
    for run_id in JUDGED:
        one_by_one = current_outputs(
            store, run_id, HealthScoreRecord, "alerts", {"score_key": "overall"}
        )
        assert (one_by_one[-1].score if one_by_one else None) == expected.get(run_id)


def test_a_run_that_is_begun_again_is_not_as_well_as_the_one_before(store: Store) -> None:
    assert store.records.healths() == {}
    create_run(store)
    store.append(batch(1, 2, _score(1, 70.0, "a"), _analysis(2, "a")))
    assert store.records.healths() == {"run-1": (70.0, "at 70")}

    store.records.delete_run("run-1")
    assert store.records.healths() == {}
    create_run(store)
    assert store.records.healths() == {}
    store.append(batch(1, 1, _score(1, 30.0)))
    assert store.records.healths() == {"run-1": (30.0, "at 30")}


@pytest.mark.parametrize("score", ["NaN", "Infinity"])
def test_a_health_that_is_no_number_is_told_as_it_is(store: Store, score: str) -> None:
    create_run(store)
    store.append(batch(1, 1, _score(1, float(score))))

    (health,) = store.records.healths().values()

    assert str(health.score) == str(float(score))
