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


def _data_types() -> dict[str, dict[str, str]]:
    """Return the modules below ``sdk.data_types``; W&B's names of them are not always ours."""
    media = {"Media": "base", "BatchableMedia": "base"}
    homes: dict[str, dict[str, str]] = {
        "audio": {"Audio": "audio"},
        "base_types.media": media,
        "base_types.wb_value": {"WBValue": "base"},
        "bokeh": {"Bokeh": "bokeh"},
        "eval_table": {"EvalTable": "eval_table"},
        "graph": {"Edge": "graph", "Graph": "graph", "Node": "graph"},
        "helper_types.bounding_boxes_2d": {"BoundingBoxes2D": "bounding_boxes"},
        "helper_types.classes": {"Classes": "classes"},
        "helper_types.image_mask": {"ImageMask": "image_mask"},
        "histogram": {"Histogram": "histogram"},
        "html": {"Html": "html"},
        "image": {"Image": "image"},
        "molecule": {"Molecule": "molecule"},
        "object_3d": {"Object3D": "object_3d", "box3d": "oriented_box"},
        "plotly": {"Plotly": "plotly"},
        "table": {
            "JoinedTable": "joined_table",
            "PartitionedTable": "partitioned_table",
            "Table": "table",
        },
        "video": {"Video": "video"},
    }
    root = "sdk.data_types"
    found = {
        f"{root}.{path}": {name: f"data_types.{home}:{name}" for name, home in names.items()}
        for path, names in homes.items()
    }
    for parent in ("", ".base_types", ".helper_types"):
        below = f"{root}{parent}."
        children = {path.removeprefix(below) for path in found if path.startswith(below)}
        found[f"{root}{parent}"] = {child.partition(".")[0]: "" for child in children}
    return found


DATA_TYPES = _data_types()

_KERAS = "WandbCallback WandbEvalCallback WandbMetricsLogger WandbModelCheckpoint"
_SKLEARN = """
plot_calibration_curve plot_class_proportions plot_classifier plot_clusterer plot_confusion_matrix
plot_elbow_curve plot_feature_importances plot_learning_curve plot_outlier_candidates
plot_precision_recall plot_regressor plot_residuals plot_roc plot_silhouette plot_summary_metrics
"""

#: W&B's other names for the modules of ``integration`` and for parts of them; what is in them.
INTEGRATIONS: dict[str, tuple[str, str]] = {
    "catboost": ("catboost", "WandbCallback log_summary"),
    "fastai": ("fastai", "WandbCallback"),
    "gym": ("gym", "monitor"),
    "integration.catboost.catboost": ("catboost", "WandbCallback log_summary"),
    "integration.keras.callbacks": ("keras", _KERAS),
    "integration.sb3.sb3": ("sb3", "WandbCallback"),
    "integration.torch.wandb_torch": ("torch", "TorchHistory"),
    "integration.xgboost.xgboost": ("xgboost", "WandbCallback wandb_callback"),
    "keras": ("keras", _KERAS),
    "lightgbm": ("lightgbm", "log_summary wandb_callback"),
    "sacred": ("sacred", "WandbObserver"),
    "sklearn": ("sklearn", _SKLEARN),
    "tensorboard": ("tensorboard", "_log patch reset_state tf_summary_to_dict unpatch"),
    "tensorflow": ("tensorflow", "WandbHook"),
    "xgboost": ("xgboost", "WandbCallback wandb_callback"),
}

#: Artifacts, by W&B's names of their modules.
ARTIFACTS: dict[str, dict[str, str]] = {
    "sdk.artifacts": {
        "artifact": "",
        "artifact_manifest": "",
        "artifact_manifest_entry": "",
        "artifact_ttl": "",
        "exceptions": "",
        "_internal_artifact": "",
    },
    "sdk.artifacts.artifact": {"Artifact": "artifacts.artifact:Artifact"},
    "sdk.artifacts.artifact_manifest": {"ArtifactManifest": "artifacts.manifest:ArtifactManifest"},
    "sdk.artifacts.artifact_manifest_entry": {
        "ArtifactManifestEntry": "artifacts.entry:ArtifactManifestEntry"
    },
    "sdk.artifacts.artifact_ttl": {"ArtifactTTL": "artifacts.ttl:ArtifactTTL"},
    "sdk.artifacts.exceptions": {
        name: f"artifacts.exceptions:{name}"
        for name in (
            *("ArtifactStatusError", "ArtifactNotLoggedError", "ArtifactFinalizedError"),
            *("WaitTimeoutError", "TooFewItemsError", "TooManyItemsError"),
        )
    },
    "sdk.artifacts._internal_artifact": {"InternalArtifact": "artifacts.internal:InternalArtifact"},
    "apis.public.artifacts": {
        name: f"artifacts.collections:{name}"
        for name in (
            *("ArtifactCollection", "ArtifactCollections", "ArtifactType", "ArtifactTypes"),
            *("Artifacts", "RunArtifacts"),
        )
    },
}

#: Module by module, what is in it and where that is; ``name`` alone is a module below.
CONTENTS: dict[str, dict[str, str]] = {
    "agents": {"pyagent": ""},
    "agents.pyagent": {
        "pyagent": "sweeps.agents:pyagent",
        "is_running": "sweeps.agents:is_running",
    },
    "api": {"api_key": "account:api_key", "default_entity": "account:default_entity"},
    "apis": {**_API, "public": ""},
    "helper": {"parse_config": "for_integrations:parse_config"},
    "jupyter": {"load_ipython_extension": "for_integrations:load_ipython_extension"},
    "profiler": {"torch_trace_handler": "profiling:torch_trace_handler"},
    "trigger": {name: f"triggers:{name}" for name in ("call", "register", "reset", "unregister")},
    "apis.public": {
        **_API,
        **ARTIFACTS["apis.public.artifacts"],
        "ConsoleLogLine": "console_logs:ConsoleLogLine",
        "ConsoleLogs": "console_logs:ConsoleLogs",
        "File": "api_files:ApiFile",
        "Files": "api_files:ApiFiles",
        "HistoryScan": "api_history:HistoryScan",
        "Project": "api_people:ApiProject",
        "Projects": "api_people:ApiProjects",
        "Run": "api_run:ApiRun",
        "Runs": "api_runs:Runs",
        "Sweep": "api_sweeps:ApiSweep",
        "Team": "api_people:ApiTeam",
        "User": "api_people:ApiUser",
        "artifacts": "",
    },
    **ARTIFACTS,
    "errors.errors": {
        name: f"errors:{name}"
        for name in (
            *("Error", "CommError", "AuthenticationError", "UsageError", "UnsupportedError"),
            "WandbCoreNotAvailableError",
        )
    },
    "errors.term": {
        name: f"term:{name}" for name in ("termerror", "termlog", "termsetup", "termwarn")
    },
    "plot.custom_chart": {
        name: f"plot.charts:{name}" for name in ("CustomChart", "CustomChartSpec", "plot_table")
    },
    "plot.viz": {
        name: f"plot.charts:{name}" for name in ("Visualize", "VisualizeSpec", "visualize")
    },
    "sdk": {
        **_RUN,
        **_CONFIG,
        **_SETTINGS,
        **_SUMMARY,
        "AlertLevel": "alert:AlertLevel",
        "Artifact": "artifacts.artifact:Artifact",
        "artifacts": "",
        "data_types": "",
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
        "sweep": "sweeps.create:sweep",
        "controller": "sweeps.controller:controller",
        "sweeps": "",
        "wandb_sweep": "",
    },
    **DATA_TYPES,
    "sdk.lib": {
        **_RUN_DISABLED,
        "SummaryDisabled": "summary:Summary",
        "config_util": "",
        "disabled": "",
        "RunMoment": "branching:RunMoment",
        "run_moment": "",
        "runid": "",
        "telemetry": "",
    },
    "sdk.lib.config_util": {"ConfigError": "errors:ConfigError"},
    "sdk.lib.disabled": {**_RUN_DISABLED, "SummaryDisabled": "summary:Summary"},
    "sdk.lib.run_moment": {"RunMoment": "branching:RunMoment"},
    "sdk.lib.runid": {
        "generate_id": "naming:generate_id",
        "generate_fast_id": "naming:generate_id",
    },
    "sdk.lib.telemetry": {"context": "for_integrations:telemetry_context"},
    "sdk.wandb_alerts": {"AlertLevel": "alert:AlertLevel"},
    "sdk.wandb_config": _CONFIG,
    "sdk.wandb_init": {"init": "init:init", "_attach": "attaching:attach"},
    "sdk.wandb_login": {"login": "account:login"},
    "sdk.wandb_metric": {"Metric": "definitions:Metric"},
    "sdk.wandb_run": {**_RUN, "finish": "init:finish"},
    "sdk.wandb_settings": _SETTINGS,
    "sdk.wandb_setup": {"setup": "account:setup", "teardown": "account:teardown"},
    "sdk.wandb_summary": _SUMMARY,
    "sdk.sweeps": {"SweepNotFoundError": "sweeps.place:SweepNotFoundError"},
    "sdk.wandb_sweep": {
        "sweep": "sweeps.create:sweep",
        "controller": "sweeps.controller:controller",
    },
    "util": {
        "generate_id": "naming:generate_id",
        "json_friendly": "for_integrations:json_friendly",
        "make_artifact_name_safe": "for_integrations:make_artifact_name_safe",
        "json_dumps_safer": "for_integrations:json_dumps_safer",
        "json_dumps_safer_history": "for_integrations:json_dumps_safer",
        "get_module": "for_integrations:get_module",
    },
    "wandb_agent": {"agent": "sweeps.agents:agent", "_is_running": "sweeps.agents:is_running"},
    "wandb_controller": {
        "ControllerError": "sweeps.controller_configuration:ControllerError",
        "_WandbController": "sweeps.controller:Controller",
    },
    "wandb_run": _RUN,
    **{
        path: {name: f"integration.{home}:{name}" for name in names.split()}
        for path, (home, names) in INTEGRATIONS.items()
    },
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
        module = sys.modules.setdefault(f"{ROOT}.{path}", Namespace(path))
        parent, _, name = path.rpartition(".")
        if parent == "errors":  # a module here, where W&B has a package
            setattr(sys.modules[f"{ROOT}.errors"], name, module)


_TOP = frozenset({*(path for path in CONTENTS if "." not in path), *SYNONYMS})
