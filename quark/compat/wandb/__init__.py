"""``import quark.compat.wandb as wandb``: W&B's interface over Quark.

Everything is kept in the local store, and no account, network or second process is needed.
``docs/compat.md`` lists every public name of W&B 0.31 and its state here. ``run``, ``config``,
``summary``, ``log`` and the other functions of a run are bound anew by ``init`` and ``finish``, so
look them up on the module, as scripts do.
"""

from __future__ import annotations

import sys as _sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from quark.compat.wandb import current as _current, errors as errors, namespaces as _namespaces
from quark.compat.wandb.account import (
    ensure_configured as ensure_configured,
    login as login,
    require as require,
    setup as setup,
    teardown as teardown,
)
from quark.compat.wandb.alert import AlertLevel as AlertLevel
from quark.compat.wandb.attaching import attach as attach
from quark.compat.wandb.config import Config as Config
from quark.compat.wandb.errors import (
    CommError as CommError,
    Error as Error,
    UsageError as UsageError,
)
from quark.compat.wandb.init import finish as finish, init as init
from quark.compat.wandb.run import Run as Run
from quark.compat.wandb.settings import Settings as Settings
from quark.compat.wandb.symbols import names as _names, refuse_attribute as _refuse_attribute
from quark.compat.wandb.term import (
    termerror as termerror,
    termlog as termlog,
    termsetup as termsetup,
    termwarn as termwarn,
)
from quark.compat.wandb.used import compat_report as compat_report, use as _use

if TYPE_CHECKING:
    from collections.abc import Callable

    from quark.compat.wandb.alias import install as install, uninstall as uninstall
    from quark.compat.wandb.artifacts.artifact import Artifact as Artifact
    from quark.compat.wandb.artifacts.ttl import ArtifactTTL as ArtifactTTL
    from quark.compat.wandb.data_types import (
        Audio as Audio,
        Classes as Classes,
        EvalTable as EvalTable,
        Graph as Graph,
        Histogram as Histogram,
        Html as Html,
        Image as Image,
        JoinedTable as JoinedTable,
        Molecule as Molecule,
        Object3D as Object3D,
        Plotly as Plotly,
        Table as Table,
        Video as Video,
        box3d as box3d,
    )
    from quark.compat.wandb.plot import plot_table as plot_table, visualize as visualize
    from quark.compat.wandb.public_api import Api as Api
    from quark.compat.wandb.summary import Summary
    from quark.compat.wandb.sweeps.agents import agent as agent
    from quark.compat.wandb.sweeps.controller import controller as controller
    from quark.compat.wandb.sweeps.create import sweep as sweep

    run: Run | None
    config: Config
    summary: Summary
    log: Callable[..., None]
    define_metric: Callable[..., Any]
    watch: Callable[..., None]
    unwatch: Callable[..., None]
    save: Callable[..., list[str]]
    alert: Callable[..., None]
    mark_preempting: Callable[..., None]
    pin_config_keys: Callable[..., None]
    log_artifact: Callable[..., Any]
    use_artifact: Callable[..., Any]
    log_model: Callable[..., None]
    use_model: Callable[..., str]
    link_model: Callable[..., Any]

#: The W&B whose behaviour this has; libraries compare it.
__version__ = "0.31.0"

wandb = _sys.modules[__name__]  # W&B's module has itself under this name
join = finish
_attach = attach

#: What is loaded when it is first used: names, and where they are below this package. A place
#: without a colon is a module.
_LAZY = {
    "integration": "integration",
    "patched": "integration.patched:PATCHED",
    "wandb_torch": "integration.torch",
    "Api": "public_api:Api",
    "Artifact": "artifacts.artifact:Artifact",
    "ArtifactTTL": "artifacts.ttl:ArtifactTTL",
    "Audio": "data_types.audio:Audio",
    "Classes": "data_types.classes:Classes",
    "EvalTable": "data_types.eval_table:EvalTable",
    "Graph": "data_types.graph:Graph",
    "Histogram": "data_types.histogram:Histogram",
    "Html": "data_types.html:Html",
    "Image": "data_types.image:Image",
    "JoinedTable": "data_types.joined_table:JoinedTable",
    "Molecule": "data_types.molecule:Molecule",
    "Object3D": "data_types.object_3d:Object3D",
    "Plotly": "data_types.plotly:Plotly",
    "plot": "plot",
    "plot_table": "plot.charts:plot_table",
    "visualize": "plot.charts:visualize",
    "Table": "data_types.table:Table",
    "Video": "data_types.video:Video",
    "box3d": "data_types.oriented_box:box3d",
    "agent": "sweeps.agents:agent",
    "controller": "sweeps.controller:controller",
    "data_types": "data_types",
    "restore": "restoring:restore",
    "env": "env",
    "install": "alias:install",
    "sweep": "sweeps.create:sweep",
    "uninstall": "alias:uninstall",
}


def __getattr__(name: str) -> Any:
    value: Any
    if name in _LAZY:
        module, _, attribute = _LAZY[name].partition(":")
        value = import_module(f"{__name__}.{module}")
        value = getattr(value, attribute) if attribute else value
    else:
        value = _namespaces.find(name)
        if value is None:
            raise _refuse_attribute("module", name)
    _use("module", name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_names("module", "works", "differs", "no-op"))


_current.attach(globals())
_namespaces.install()
