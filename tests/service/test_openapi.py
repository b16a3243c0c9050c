"""The OpenAPI document is complete and true: real answers are held against it."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from quark import jsonio
from quark.persistence.wire import SERIES_TYPE
from quark.persistence.wire_series import decode_series
from quark.records import RECORD_KINDS
from quark.service.analysis import compare_runs, judge_run
from quark.service.analysis_jobs import Jobs
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.logs import JsonLog
from quark.service.models import model_of
from quark.service.openapi import TAGS, page_of
from quark.service.stores import StoreKey
from tests.storage.building import batch, create_run, losses
from tests.support.asgi import InProcess
from tests.support.clock import FakeClock
from tests.support.identity import first_key

WORKSPACE = "/api/v1/workspaces/-"
#: Families whose every answer is looked at here; the others have tests of their own.
FAMILIES = {"runs", "points", "records", "live", "analysis", "documents"}

#: What names a store is refused by its own rule, however long it is.
OF_A_GRAMMAR = {"workspace", "Quark-Storage-Dir"}


class Document:
    """The OpenAPI document, and what it says of an answer."""

    def __init__(self, root: Path) -> None:
        self.app = create_app(ServiceConfig(root=root), clock=FakeClock())
        self.plain: dict[str, Any] = self.app.openapi()
        self.operations = {
            (method.upper(), path): operation
            for path, item in self.plain["paths"].items()
            for method, operation in item.items()
        }
        self.answered: set[tuple[str, str, str]] = set()

    def check(self, method: str, path: str, status: int, content_type: str, body: bytes) -> Any:
        """Hold an answer against the document; return its JSON."""
        template = self.template(method, path)
        operation = self.operations[method, template]
        self.answered.add((method, template, str(status)))
        declared = operation["responses"].get(str(status))
        assert declared is not None, f"{method} {template} does not say that it answers {status}"
        if not body:
            assert "content" not in declared
            return None
        plain = jsonio.loads(body)
        self.validate(declared["content"][content_type]["schema"], plain)
        return plain

    def template(self, method: str, path: str) -> str:
        """Return the path's template, the one with the fewest parameters."""
        found: list[str] = [
            template
            for one, template in self.operations
            if one == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
        ]
        assert found, f"{method} {path} is not in the document"
        return min(found, key=lambda template: template.count("{"))

    def validate(self, schema: dict[str, Any], plain: Any) -> None:
        components = {"components": self.plain["components"]}
        jsonschema.Draft202012Validator({**schema, **components}).validate(plain)

    def example(self, schema: dict[str, Any]) -> Any:
        """Return an example of what is required, made of the examples that the document gives."""
        while "$ref" in schema:
            schema = self.plain["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if "examples" in schema:
            return schema["examples"][0]
        if "properties" in schema:
            required = schema.get("required", ())
            return {
                name: self.example(part)
                for name, part in schema["properties"].items()
                if name in required or "examples" in part
            }
        if schema.get("type") == "array":
            return [self.example(schema["items"])]
        raise AssertionError(f"no example in {schema}")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    return Document(tmp_path_factory.mktemp("document"))


class Asked:
    """Asks a service and holds each answer against its document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.state = document.app.state.service
        self.state.log = JsonLog(io.StringIO())
        self.http = InProcess(document.app, first_key(document.app))
        self.store = self.state.stores.get(StoreKey("local"))

    def __call__(self, method: str, path: str, status: int = 200, **what: Any) -> Any:
        answer = self.http.request(method, WORKSPACE + path, **what)
        assert answer.status_code == status, answer.text
        full = f"{WORKSPACE}{path}".replace("/-/", "/own/").partition("?")[0]
        content_type = answer.headers.get("Content-Type", "")
        return self.document.check(method, full, status, content_type, answer.content)


@pytest.fixture(scope="module")
def asked(document: Document) -> Iterator[Asked]:
    asked = Asked(document)
    yield asked
    asked.http.__exit__(None, None, None)
    asked.state.close()


def test_every_answer_is_as_the_document_says(asked: Asked) -> None:
    store = asked.store
    run = asked("POST", "/runs", 201, json={"project": "p", "run_id": "r", "config": {"a": [1]}})
    key = {"Idempotency-Key": "again"}
    asked("POST", "/runs", 201, json={"project": "p"}, headers=key)
    asked("POST", "/runs", 200, json={"project": "p"}, headers=key)
    asked("POST", "/runs", 409, json={"project": "p", "run_id": "r"})
    asked("POST", "/runs", 422, json={"project": ""})
    asked("PATCH", "/runs/r", json={"summary": {"x": 1.5}, "tags": ["t"]})
    asked("PATCH", "/runs/gone", 404, json={})
    rows = [{"values": {"loss": value}, "step": 1} for value in (1.0, "NaN", "-Infinity")]
    asked("POST", "/runs/r/metrics", 201, json={"rows": rows})
    odd = {"event_type": "odd", "severity": "info", "payload": {"x": None, "y": [1, "z"]}}
    asked("POST", "/runs/r/records/event", 201, json={"records": [odd]})
    for kind in RECORD_KINDS:
        asked("GET", f"/runs/r/records/{kind}")
    asked("GET", "/runs/r/records/nonsense", 422)
    asked("GET", "/runs/gone/records/event", 404)
    asked("GET", "/runs/r/scan?kind=event&kind=run")
    asked("GET", "/runs/r/counts")
    asked("GET", "/runs")
    asked("GET", "/runs?limit=1")
    asked("GET", "/runs?limit=0")
    asked("GET", "/runs?limit=-1", 422)
    asked("GET", "/runs/r")
    asked("GET", "/projects")
    asked("GET", "/healths")
    asked("GET", "/runs/r/keys")
    asked("GET", "/runs/r/series?key=loss&key=gone")
    asked("GET", "/runs/r/series?key=loss&columns=step_value")
    asked("GET", "/runs/r/buckets?key=loss&bucket_count=3")
    changes = asked("GET", "/runs/r/changes")
    asked("GET", f"/runs/r/changes?after={changes['cursor']}")
    asked("GET", "/runs/gone/changes", 404)
    listed = asked("GET", "/changes?key=loss")
    asked("GET", f"/changes?after={listed['cursor']}&key=loss")

    create_run(store, "judged", status="completed")
    slow = losses(1, [700.0] * 50, key="system/runtime/step_time_ms")
    store.append(batch(1, 50, slow, losses(1, [1.0] * 50, key="train/loss"), run_id="judged"))
    judge_run(store, "judged", "x", ("alerts", "phases"), lambda: None)
    for path in ("alerts", "health-scores", "phases"):
        assert any(asked("GET", f"/runs/judged/{path}").values())
    done = judge_run(store, "judged", "y", ("alerts",), lambda: None)
    asked.state.analyses.submit = lambda job: None  # what it does has tests of its own
    job = asked("POST", "/runs/judged/analyses", 202)
    Jobs(store, FakeClock(), 1).ended("analysis_job", f"judged/{job['job_id']}", result=done)
    asked("POST", "/runs/judged/analyses", 200, json={})
    asked("GET", f"/runs/judged/analyses/{job['job_id']}")
    asked("GET", "/runs/judged/analyses")
    asked("GET", "/runs/judged/analyses/gone", 404)
    compared = asked("POST", "/comparisons", 202, json={"primary": "judged", "reference": "r"})
    result = compare_runs(store, "judged", "r", baseline=True, targets=[("loss", 1.0, "at_most")])
    Jobs(store, FakeClock(), 1).ended("comparison_job", compared["job_id"], result=result)
    asked("POST", "/comparisons", 200, json={"primary": "judged", "reference": "r"})
    asked("GET", f"/comparisons/{compared['job_id']}")
    asked("GET", "/comparisons/gone", 404)

    change = {"kind": "sweep", "name": "a/b", "body": {"x": [1, None]}}
    asked("POST", "/documents", json={"name": "q1", "changes": [change]})
    asked(
        "POST", "/documents", 409, json={"name": "q2", "changes": [{**change, "expected": 10**6}]}
    )
    asked("GET", "/documents/sweep")
    asked("GET", "/documents/sweep/item?name=a/b")
    asked("GET", "/documents/sweep/item?name=gone")
    asked("DELETE", "/runs/r", 204)
    asked("DELETE", "/runs/r", 404)

    assert run["id"] == "r"
    silent = {
        (method, path, status)
        for (method, path), operation in asked.document.operations.items()
        for status in operation["responses"]
        if operation["tags"][0] in FAMILIES and status < "400"
    } - asked.document.answered
    assert silent == set(), "answers that no test has seen"


def test_an_answer_that_differs_is_seen(document: Document) -> None:
    path = f"{WORKSPACE}/projects".replace("/-/", "/own/")

    for body in (b'{"projects":[{}]}', b'{"projects":[],"more":1}', b"[]"):
        with pytest.raises(jsonschema.ValidationError):
            document.check("GET", path, 200, "application/json", body)
    with pytest.raises(AssertionError, match="does not say"):
        document.check("GET", path, 418, "application/json", b"{}")


def test_packed_series_are_announced_and_come(asked: Asked) -> None:
    create_run(asked.store, "packed")
    asked.store.append(batch(1, 2, losses(1, [1.0, 2.0]), run_id="packed"))
    path = f"{WORKSPACE}/runs/packed/series"

    answer = asked.http.get(f"{path}?key=loss", headers={"Accept": SERIES_TYPE})

    template = asked.document.template("GET", path.replace("/-/", "/own/"))
    declared = asked.document.operations["GET", template]["responses"]["200"]["content"]
    assert answer.headers["Content-Type"] in declared
    assert decode_series(answer.content)["loss"].value.tolist() == [1.0, 2.0]


def test_every_example_of_a_body_is_taken(asked: Asked) -> None:
    create_run(asked.store, "x")
    taken = set()
    for (method, path), operation in asked.document.operations.items():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if operation["tags"][0] not in FAMILIES or body is None or "comparisons" in path:
            continue
        schema = body["schema"]
        if "anyOf" in schema:
            schema = schema["anyOf"][0]
        asked.state.analyses.submit = lambda job: None
        filled = path.replace("{workspace}", "-").replace("{run_id}", "x")
        answer = asked.http.request(
            method, filled.replace("{kind}", "event"), json=asked.document.example(schema)
        )
        assert answer.status_code < 300, (method, path, answer.text)
        taken.add(operation["operationId"])

    assert taken == {
        "runs_create_run", "runs_change_run", "points_write_metrics", "records_write_records",
        "analysis_analyse_run", "documents_change_documents",
    }  # fmt: skip


def test_the_document_is_complete(document: Document) -> None:
    faults = []
    names = [operation["operationId"] for operation in document.operations.values()]
    for (method, path), operation in document.operations.items():
        at = f"{method} {path}"
        if not operation.get("summary") or not operation.get("description"):
            faults.append(f"{at} has no words")
        if set(operation["tags"]) - set(TAGS):
            faults.append(f"{at} is of an unknown family")
        if "{workspace}" in path and not operation.get("security"):
            faults.append(f"{at} asks for no key")
        for status in ("401", "403", "404", "409", "413", "422", "429", "503"):
            reference = str(operation["responses"].get(status))
            mine = operation["tags"][0] in FAMILIES
            if mine and "#/components/schemas/ErrorOut" not in reference:
                faults.append(f"{at} does not say what {status} is")
        for parameter in operation.get("parameters", ()):
            if not parameter.get("description"):
                faults.append(f"{at}: {parameter['name']} has no words")
            if operation["tags"][0] in FAMILIES and parameter["name"] not in OF_A_GRAMMAR:
                faults += [
                    f"{at}: {parameter['name']} {fault}" for fault in unbounded(parameter["schema"])
                ]

    assert faults == []
    assert len(set(names)) == len(names)
    assert {operation["tags"][0] for operation in document.operations.values()} == set(TAGS)


def unbounded(schema: dict[str, Any]) -> Iterator[str]:
    """Yield what may be as long or large as anybody likes."""
    for part in schema.get("anyOf", [schema]):
        kind = part.get("type")
        if kind == "string" and not {"maxLength", "enum", "pattern", "const"} & part.keys():
            yield "may be of any length"
        if kind == "array" and "maxItems" not in part:
            yield "may have any number of items"
        if kind in ("integer", "number"):
            low = {"minimum", "exclusiveMinimum"} & part.keys()
            high = {"maximum", "exclusiveMaximum"} & part.keys()
            if not low or not high:
                yield "may be of any size"


@pytest.mark.parametrize(
    ("schema", "count"),
    [
        ({"type": "string"}, 1),
        ({"type": "string", "maxLength": 3}, 0),
        ({"anyOf": [{"type": "array", "items": {}}, {"type": "null"}]}, 1),
        ({"type": "integer", "minimum": 0}, 1),
        ({"type": "integer", "minimum": 0, "exclusiveMaximum": 9}, 0),
    ],
)
def test_what_is_unbounded_is_seen(schema: dict[str, Any], count: int) -> None:
    assert len(list(unbounded(schema))) == count


@pytest.mark.parametrize("kind", RECORD_KINDS)
def test_the_model_of_a_kind_has_its_fields(kind: str) -> None:
    record_type = RECORD_KINDS[kind]

    assert set(model_of(record_type).model_fields) == {
        item.name for item in dataclasses.fields(record_type)
    }


def test_the_page_shows_every_operation_and_loads_nothing(asked: Asked) -> None:
    answer = asked.http.request("GET", "/docs", key="none")
    page = answer.text

    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for method, path in asked.document.operations:
        assert f"<b>{method}</b> <code>{path}</code>" in page
    assert re.search(r"(?:src|href|@import|url)\s*[=(]", page) is None


def test_the_page_shows_words_as_they_are() -> None:
    operation = {"tags": ["x"], "summary": "<script>", "responses": {"200": {}}}
    document = {
        "info": {"version": "<1>"},
        "tags": [{"name": "x", "description": "a & b"}],
        "paths": {"/<p>": {"get": operation}},
    }

    page = page_of(document)

    assert "<script>" not in page
    assert "/&lt;p&gt;" in page
    assert "a &amp; b" in page
