"""What the OpenAPI document says is true: schemathesis asks every route all kinds of things."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings

from quark.persistence.wire import BATCH_TYPE
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.guards.door import PUBLIC_PATHS
from quark.service.limits import GuardLimits
from quark.service.logs import JsonLog
from quark.service.state import ServiceState
from tests.support.identity import first_key
from tests.support.threads import lasting_threads

schemathesis = pytest.importorskip("schemathesis", reason="pip install schemathesis")

MODES = {
    "valid": schemathesis.GenerationMode.POSITIVE,
    "invalid": schemathesis.GenerationMode.NEGATIVE,
}
EXAMPLES = 6

#: A rule in words, such as what may name a workspace, may refuse what the types allow. The others
#: follow requests from one to the next, and make their own.
LEFT_OUT = {
    *("positive_data_acceptance", "use_after_free", "ensure_resource_availability"),
    "object_level_authorization",
}

DOCUMENT = create_app(ServiceConfig(root=Path("nowhere"))).openapi()
CASES = [
    pytest.param(f"{method.upper()} {path}", mode, id=f"{method.upper()} {path} {mode}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    for mode in MODES
    # What takes nothing cannot be asked wrongly.
    if mode == "valid" or operation.get("parameters") or "requestBody" in operation
]


@schemathesis.serializer(BATCH_TYPE)  # type: ignore[untyped-decorator]
def raw_body(context: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else repr(value).encode()


@contextlib.asynccontextmanager
async def already_running(app: FastAPI) -> AsyncIterator[None]:
    """schemathesis starts and stops an application for each request; a closed store stays so."""
    yield


class Service:
    """An application in this process, what its document says, and a key for it."""

    def __init__(self, root: Path) -> None:
        # schemathesis tries many keys, and long queries.
        guards = GuardLimits(failed_keys_burst=1_000_000_000, max_header_bytes=100_000_000)
        self.app = create_app(ServiceConfig(root=root, guards=guards))
        self.state: ServiceState = self.app.state.service
        self.state.log = JsonLog(io.StringIO())
        self.app.router.lifespan_context = already_running
        self.state.start()
        self.key = first_key(self.app)
        schema = schemathesis.openapi.from_asgi("/openapi.json", self.app)
        found = (result.ok() for result in schema.get_all_operations())
        self.operations = {operation.label: operation for operation in found}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with lasting_threads():
        service = Service(tmp_path_factory.mktemp("service"))
    yield service
    service.state.close()


def checks() -> list[Any]:
    registry = schemathesis.checks.CHECKS
    names = [name for name in registry.get_all_names() if name not in LEFT_OUT]
    return [registry.get_one(name) for name in names]


@pytest.mark.parametrize(("label", "mode"), CASES)
def test_every_answer_is_what_the_document_says(service: Service, label: str, mode: str) -> None:
    operation = service.operations[label]
    headers = {"Authorization": f"Bearer {service.key}"}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=MODES[mode]))
    def ask(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=checks())

    ask()


@pytest.mark.parametrize("key", ["", "Bearer qk_wrong"], ids=["no key", "a wrong key"])
def test_without_a_key_every_answer_is_a_refusal_that_the_document_knows(
    service: Service, key: str
) -> None:
    headers = {"Authorization": key} if key else {}

    closed = [each for each in service.operations.values() if each.path not in PUBLIC_PATHS]
    for operation in closed:

        @settings(
            max_examples=2,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=MODES["valid"]))
        def ask(case: Any) -> None:
            answer = case.call(headers=headers)
            assert answer.status_code == 401
            case.validate_response(
                answer, checks=[schemathesis.checks.CHECKS.get_one("response_schema_conformance")]
            )

        ask()
