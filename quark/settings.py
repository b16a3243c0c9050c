"""Every setting of Quark, and the only module that reads environment variables.

Where a value comes from, strongest first: an argument, the environment, the file
``config.toml`` in ``$XDG_CONFIG_HOME/quark`` (else ``~/.config/quark``), the default. An empty
environment variable counts as unset. A value that breaks a rule is refused, never adjusted. The
file may also give places to keep runs in a name; see :mod:`quark._setting_file`.

No ``persistence_url`` is no mistake: the run is then kept in the embedded store, the folder
``.quark`` in ``storage_dir``. ``require_service`` makes it one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from quark._setting_file import ConfigFile, a_target, read_config, with_target
from quark._setting_rules import (
    Rule,
    a_key,
    a_url,
    a_workspace,
    above,
    at_least,
    extension_names,
    finite,
    is_a,
    no_rule,
    not_blank,
    one_of,
    texts,
    whole,
)
from quark.errors import SettingsError

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
MIN_SEGMENT_BYTES: Final = 64 * KIB

MODES: Final = ("online", "offline", "disabled")
DURABILITIES: Final = ("page_cache", "fsync")
ALERT_REACTIONS: Final = ("warn", "stop", "record")

#: What follows every session that keeps something, and the setting that it needs, if any.
BUILT_IN_EXTENSIONS: Final = (
    ("quark.live.extension:LiveRules", "live_rules"),
    ("quark.live.stop_watch:StopWatch", "stop_requests"),
    ("quark.report.extension:EndReport", "report"),
)

_HIDDEN = "[redacted]"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})

#: A process's number and the count of processes, by launcher. The first pair that is set wins:
#: torchrun sets RANK also inside Slurm or MPI; mpirun inside ``sbatch`` leaves SLURM_PROCID at 0
#: in every process; LOCAL_RANK counts within one machine only, so it is the last resort. Of
#: Slurm's counts only the step's is right, since a plain script in ``sbatch`` is one process
#: however many tasks were asked for.
_LAUNCHERS = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE"),
    ("LOCAL_RANK", "LOCAL_WORLD_SIZE"),
)


def _setting(default: Any, variable: str | None, doc: str) -> Any:
    return field(default=default, metadata={"variable": variable, "doc": doc})


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """How Quark behaves in this process. Get one from :meth:`load`.

    >>> Settings(segment_bytes=1024)
    Traceback (most recent call last):
    ...
    quark.errors.SettingsError: Setting segment_bytes is 1024, but must be at least 65536. \
Set the argument segment_bytes or the environment variable QUARK_SEGMENT_BYTES.
    """

    persistence_url: str | None = _setting(
        None,
        "QUARK_PERSISTENCE_URL",
        "Where runs are kept: `http(s)://` for a service, `file:` or `sqlite:` for an embedded "
        "store elsewhere. Unset: the embedded store in `storage_dir`.",
    )
    user_key: str | None = _setting(
        None, "QUARK_USER_KEY", "The key that a service knows you by. Never shown or written."
    )
    persistence_timeout_seconds: float = _setting(
        15.0, "QUARK_PERSISTENCE_TIMEOUT_SECONDS", "How long one request to a service may take."
    )
    require_service: bool = _setting(
        False,
        "QUARK_REQUIRE_SERVICE",
        "Refuse to start without `persistence_url`, with `SessionStoreError`.",
    )
    storage_dir: str | None = _setting(
        None,
        "QUARK_STORAGE_DIR",
        "The folder whose `.quark` is the embedded store. Unset: the working directory.",
    )
    workspace: str = _setting(
        "local", "QUARK_WORKSPACE", "Whose projects these are; a W&B entity is a workspace."
    )
    target: str | None = _setting(
        None,
        "QUARK_TARGET",
        "The table `[targets.NAME]` of the file that says where runs are kept. Unset: none.",
    )
    mode: str = _setting(
        "online",
        "QUARK_MODE",
        "`online` delivers to the store, `offline` keeps everything in the journal until "
        "`quark sync`, `disabled` keeps nothing.",
    )
    spool_max_bytes: int = _setting(
        10 * GIB,
        "QUARK_SPOOL_MAX_BYTES",
        "How much a run's journal may hold before records that are not essential are refused "
        "(and counted). At least `segment_bytes`.",
    )
    segment_bytes: int = _setting(
        4 * MIB, "QUARK_SEGMENT_BYTES", "The size of one file of the journal. At least 65536."
    )
    memory_ring_bytes: int = _setting(
        64 * MIB, None, "How much is kept in memory when no file can be written. At least 65536."
    )
    durability: str = _setting(
        "page_cache",
        "QUARK_DURABILITY",
        "`page_cache` survives the death of the process; `fsync` also survives a power cut, up "
        "to the last shipped batch.",
    )
    ship_interval_seconds: float = _setting(0.2, None, "How often the journal goes into the store.")
    finish_timeout_seconds: float = _setting(
        30.0, None, "How long the end of a run may wait for a service. What is unsent stays."
    )
    quiet: bool = _setting(False, "QUARK_QUIET", "Print nothing but errors.")
    extensions: tuple[str, ...] = _setting(
        (),
        "QUARK_EXTENSIONS",
        "What runs inside each session, as `module:attribute`; separated by commas in the "
        "variable.",
    )
    live_rules: bool = _setting(
        True, "QUARK_LIVE_RULES", "Judge each run while it goes on, within 1 % of its time."
    )
    on_alert: str = _setting(
        "warn",
        "QUARK_ON_ALERT",
        "What follows an alert of a run that goes on: `warn` says a line, `stop` also ends the "
        "training before its next optimizer step if it is an error, `record` only keeps it.",
    )
    stop_requests: bool = _setting(
        True, "QUARK_STOP_REQUESTS", "Look every few seconds whether `quark run stop` was called."
    )
    report: bool = _setting(
        True,
        "QUARK_REPORT",
        "Analyse each run at its end, print a short report, and keep it in the run's folder.",
    )
    system_sample_seconds: float = _setting(
        10.0, "QUARK_SYSTEM_SAMPLE_SECONDS", "How often W&B runs sample the machine; 0: never."
    )
    wandb_mirror: bool = _setting(
        False,
        "QUARK_WANDB_MIRROR",
        "Send W&B runs to the real `wandb` too, if it is installed, from a process of its own.",
    )
    capture_environment: bool = _setting(
        True,
        None,
        "Write selected environment variables, installed packages and the command line into "
        "the run's folder, redacted.",
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is None and item.default is None:
                continue
            rule = _RULES[item.type](value) or _EXTRA_RULES.get(item.name, no_rule)(value)
            if rule:
                raise _refusal(item, value, rule)
        if self.spool_max_bytes < self.segment_bytes:
            raise _refusal(
                _FIELDS["spool_max_bytes"],
                self.spool_max_bytes,
                f"be at least segment_bytes, which is {self.segment_bytes}",
            )

    def __repr__(self) -> str:
        shown = (f"{name}={_shown(name, getattr(self, name))}" for name in _FIELDS)
        return f"Settings({', '.join(shown)})"

    @property
    def storage_path(self) -> Path:
        """The storage directory, absolute: ``storage_dir``, else the working directory."""
        return Path(os.path.abspath(os.path.expanduser(self.storage_dir or os.curdir)))

    @property
    def session_extensions(self) -> tuple[str, ...]:
        """What follows each session: ``extensions``, then Quark's own that are not switched off."""
        if self.mode == "disabled":
            return self.extensions
        own = (name for name, switch in BUILT_IN_EXTENSIONS if not switch or getattr(self, switch))
        return (*self.extensions, *own)

    @classmethod
    def load(cls, **flags: Any) -> Settings:
        """Gather the settings of this process.

        Args:
            flags: Settings by name; None means not given. Paths and lists are taken too.

        Raises:
            SettingsError: A value breaks its rule, or a name is not known.
        """
        path = config_path()
        in_environment = {}
        for item in fields(cls):
            variable = item.metadata["variable"]
            text = os.environ.get(variable, "") if variable else ""
            if text:
                in_environment[item.name] = _parsed(item, variable, text)
        unknown = next((name for name in flags if name not in _FIELDS), None)
        if unknown is not None:
            raise SettingsError(
                f"Setting {unknown!r} is not known. Settings are {', '.join(_FIELDS)}."
            )
        given = {name: value for name, value in flags.items() if value is not None}
        values = with_target(read_config(path, _FIELDS), in_environment, given, path=path)
        return cls(**{name: _plain(value) for name, value in values.items()})


def config_path() -> str:
    """Return where the configuration file is looked for."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(home):  # relative ones are to be ignored, says the XDG specification
        home = os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(home, "quark", "config.toml")


def config_file() -> ConfigFile:
    """Return what the configuration file says, whether its values are allowed or not.

    Raises:
        SettingsError: It cannot be read, or names what is no setting.
    """
    return read_config(config_path(), _FIELDS)


def setting_names() -> tuple[str, ...]:
    """Return the name of every setting."""
    return tuple(_FIELDS)


def environment(prefixes: tuple[str, ...]) -> dict[str, str]:
    """Return the variables whose names start with one of ``prefixes``, as they are now."""
    return {name: value for name, value in os.environ.items() if name.startswith(prefixes)}


def set_environment_variable(name: str, value: str | None) -> None:
    """Set a variable, or remove it, for this process and those that it starts from now on."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def lead_python_path(folder: str) -> None:
    """Have Python processes that are started from now on look into ``folder`` for modules first."""
    forget_python_path(folder)
    os.environ["PYTHONPATH"] = os.pathsep.join([folder, *_python_path()])


def forget_python_path(folder: str) -> None:
    """Have Python processes that are started from now on look into ``folder`` no more."""
    rest = [place for place in _python_path() if place != folder]
    if rest:
        os.environ["PYTHONPATH"] = os.pathsep.join(rest)
    else:
        os.environ.pop("PYTHONPATH", None)


def _python_path() -> list[str]:
    return [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]


def environment_snapshot() -> dict[str, str]:
    """Return all variables, secrets included: for ``quark.redact``, not for a file."""
    return dict(os.environ)


def distributed_rank() -> int:
    """Return this process's number among those that train together; 0 if it trains alone.

    The first of these that holds a number: ``RANK``, ``OMPI_COMM_WORLD_RANK``, ``PMI_RANK``,
    ``SLURM_PROCID``, ``JSM_NAMESPACE_RANK``, ``LOCAL_RANK``.
    """
    return _first_number(tuple(rank for rank, _ in _LAUNCHERS), lowest=0, otherwise=0)


def world_size() -> int:
    """Return how many processes train together; 1 if nothing says so.

    The first of these that holds a number: ``WORLD_SIZE``, ``OMPI_COMM_WORLD_SIZE``,
    ``PMI_SIZE``, ``SLURM_STEP_NUM_TASKS``, ``JSM_NAMESPACE_SIZE``, ``LOCAL_WORLD_SIZE``.
    """
    return _first_number(tuple(size for _, size in _LAUNCHERS), lowest=1, otherwise=1)


def _first_number(variables: tuple[str, ...], *, lowest: int, otherwise: int) -> int:
    for variable in variables:
        text = os.environ.get(variable, "")
        if text.isascii() and text.isdigit() and int(text) >= lowest:
            return int(text)
    return otherwise


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return tuple(value) if isinstance(value, list) else value


def _parsed(item: Field[Any], variable: str, text: str) -> Any:
    if item.type == "tuple[str, ...]":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if item.type == "bool":
        word = text.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise SettingsError(
            f"{variable} is {text!r}, but must be 1, true, yes, on or 0, false, no, off."
        )
    if item.type in ("int", "float"):
        try:
            return int(text) if item.type == "int" else float(text)
        except ValueError as error:
            wanted = "a whole number" if item.type == "int" else "a number"
            raise SettingsError(f"{variable} is {text!r}, but must be {wanted}.") from error
    return text


def _refusal(item: Field[Any], value: object, rule: str) -> SettingsError:
    variable = item.metadata["variable"]
    way_out = f"Set the argument {item.name}"
    way_out += f" or the environment variable {variable}." if variable else " or the file's key."
    return SettingsError(
        f"Setting {item.name} is {_shown(item.name, value)}, but must {rule}. {way_out}"
    )


def _shown(name: str, value: object) -> str:
    if (name == "user_key" and value is not None) or "qk_" in str(value):
        return repr(_HIDDEN)
    if name == "persistence_url" and isinstance(value, str) and "@" in value:
        scheme, separator, rest = value.rpartition("@")[0].partition("://")
        hidden = f"{scheme}://{_HIDDEN}" if separator and rest else _HIDDEN
        return repr(f"{hidden}@{value.rpartition('@')[2]}")
    return repr(value)


_RULES: dict[Any, Rule] = {
    "str": is_a(str, "a string"),
    "str | None": is_a(str, "a string"),
    "bool": is_a(bool, "True or False"),
    "int": whole,
    "float": finite,
    "tuple[str, ...]": texts,
}
_EXTRA_RULES: dict[str, Rule] = {
    "persistence_url": a_url,
    "user_key": a_key,
    "persistence_timeout_seconds": above(0),
    "storage_dir": not_blank,
    "workspace": a_workspace,
    "target": a_target,
    "mode": one_of(MODES),
    "segment_bytes": at_least(MIN_SEGMENT_BYTES),
    "memory_ring_bytes": at_least(MIN_SEGMENT_BYTES),
    "durability": one_of(DURABILITIES),
    "ship_interval_seconds": above(0),
    "finish_timeout_seconds": at_least(0),
    "extensions": extension_names,
    "on_alert": one_of(ALERT_REACTIONS),
    "system_sample_seconds": lambda x: "" if x == 0 or x >= 0.1 else "be 0 or at least 0.1",
}
_FIELDS: Mapping[str, Field[Any]] = {item.name: item for item in fields(Settings)}
