"""``wandb.util``, ``wandb.sdk``, ``wandb.env`` and their like: the names of them that scripts and
libraries use, as modules that fill themselves when they are touched.

They are in ``sys.modules``, so ``from quark.compat.wandb.sdk.wandb_run import Run`` works too.
Every class is the shim's own, so ``isinstance`` says yes to its runs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from quark.compat.wandb.symbols import refuse_attribute

ROOT = "quark.compat.wandb"

_RUN = {"Run": "run:Run"}
_CONFIG = {"Config": "config:Config"}
_SETTINGS = {"Settings": "settings:Settings"}
_SUMMARY = {"Summary": "summary:Summary", "SummarySubDict": "summary:SubSummary"}
_API = {"Api": "public_api:Api", "PublicApi": "public_api:Api"}
_RUN_DISABLED = {"RunDisabled": "run:RunDisabled"}

#: Module by module, what is in it and where that is; ``name`` alone is a module below.
CONTENTS: dict[str, dict[str, str]] = {
    "api": {"api_key": "account:api_key", "default_entity": "account:default_entity"},
    "apis": {**_API, "public": ""},
    "apis.public": {**_API, "Run": "api_run:ApiRun", "Runs": "public_api:Runs"},
    "sdk": {
        **_RUN,
        **_CONFIG,
        **_SETTINGS,
        **_SUMMARY,
        "AlertLevel": "alert:AlertLevel",
        "init": "init:init",
        "finish": "init:finish",
        "login": "account:login",
        "setup": "account:setup",
        "teardown": "account:teardown",
        "require": "account:require",
        "_attach": "attaching:attach",
        "lib": "",
        "wandb_alerts": "",
        "wandb_config": "",
        "wandb_init": "",
        "wandb_login": "",
        "wandb_metric": "",
        "wandb_run": "",
        "wandb_settings": "",
        "wandb_setup": "",
        "wandb_summary": "",
    },
    "sdk.lib": {
        **_RUN_DISABLED,
        "SummaryDisabled": "summary:Summary",
        "config_util": "",
        "disabled": "",
        "runid": "",
    },
    "sdk.lib.config_util": {"ConfigError": "errors:ConfigError"},
    "sdk.lib.disabled": {**_RUN_DISABLED, "SummaryDisabled": "summary:Summary"},
    "sdk.lib.runid": {
        "generate_id": "naming:generate_id",
        "generate_fast_id": "naming:generate_id",
    },
    "sdk.wandb_alerts": {"AlertLevel": "alert:AlertLevel"},
    "sdk.wandb_config": _CONFIG,
    "sdk.wandb_init": {"init": "init:init", "_attach": "attaching:attach"},
    "sdk.wandb_login": {"login": "account:login"},
    "sdk.wandb_metric": {"Metric": "definitions:Metric"},
    "sdk.wandb_run": {**_RUN, "finish": "init:finish"},
    "sdk.wandb_settings": _SETTINGS,
    "sdk.wandb_setup": {"setup": "account:setup", "teardown": "account:teardown"},
    "sdk.wandb_summary": _SUMMARY,
    "util": {
        "generate_id": "naming:generate_id",
        "json_dumps_safer": "for_integrations:json_dumps_safer",
        "json_dumps_safer_history": "for_integrations:json_dumps_safer",
        "get_module": "for_integrations:get_module",
    },
    "wandb_run": _RUN,
}
#: Other names that the module itself has for some of them.
SYNONYMS = {"wandb_sdk": "sdk", "wandb_lib": "sdk.lib"}


class Namespace(ModuleType):
    """One module of W&B's that is looked into; its names are found when they are asked for."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{ROOT}.{path}", "A part of W&B's package, as far as it is used.")
        is_package = any(other.startswith(f"{path}.") for other in CONTENTS)
        self.__spec__ = ModuleSpec(self.__name__, None, is_package=is_package)
        if is_package:
            self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        path = self.__name__.removeprefix(f"{ROOT}.")
        place = CONTENTS[path].get(name)
        if place is None:
            if name.startswith("__"):
                raise AttributeError(name)
            raise refuse_attribute("module", f"{path}.{name}")
        if place:
            module, _, attribute = place.partition(":")
            value = getattr(import_module(f"{ROOT}.{module}"), attribute)
        else:
            value = sys.modules[f"{self.__name__}.{name}"]
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *CONTENTS[self.__name__.removeprefix(f"{ROOT}.")]})


def find(name: str) -> ModuleType | None:
    """Return what the module ``wandb`` has under ``name``, if it is one of these."""
    return sys.modules.get(f"{ROOT}.{SYNONYMS.get(name, name)}") if name in _TOP else None


def install() -> None:
    """Put the modules where ``import`` finds them."""
    for path in CONTENTS:
        sys.modules.setdefault(f"{ROOT}.{path}", Namespace(path))


_TOP = frozenset({*(path for path in CONTENTS if "." not in path), *SYNONYMS})
