"""``wandb.Settings``: every name of W&B 0.31, by attribute.

What a local store has no use for is accepted and stays without effect, and so are names that W&B
has removed (``start_method``, ``_disable_stats`` and the like). Where a value comes from, strongest
first: an argument of ``init``, a ``Settings`` object, the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from quark.compat.wandb.console import check_console
from quark.compat.wandb.environment import process_settings
from quark.compat.wandb.errors import InvalidSettingError
from quark.compat.wandb.run_place import COMPUTED
from quark.compat.wandb.symbols import names
from quark.compat.wandb.used import use

MODES = ("online", "offline", "disabled", "shared", "dryrun", "run")
RESUMES = ("allow", "must", "never", "auto")
REINITS = ("default", "return_previous", "finish_previous", "create_new")
MAX_TAG_CHARACTERS = 64
TEXTS = ("entity", "project", "run_id", "run_name", "run_notes", "run_group", "run_job_type")

#: Accepted from old scripts.
REMOVED = frozenset(
    {
        *("start_method", "program_args", "jupyter", "disable_weave", "colab_url", "deployment"),
        *("_disable_stats", "_disable_meta", "_disable_service", "_disable_machine_info"),
        *("_service_wait", "_stats_sample_rate_seconds", "_internal_check_process", "_except_exit"),
    }
)
#: Of Quark's own making.
OWN = frozenset({"quark_mirror"})
KNOWN = names("Settings") | REMOVED | OWN
_DEFAULTS: dict[str, Any] = {
    "mode": "online",
    "console": "wrap",
    "silent": False,
    "quiet": False,
    "run_tags": None,
}

#: Old words for a mode.
MODE_SYNONYMS = {"dryrun": "offline", "run": "online"}


class Settings:
    """Settings by attribute; one that was not set is its default, mostly None.

    Raises:
        InvalidSettingError: A name is not known, or a value is not allowed. It is a ValueError.
    """

    __slots__ = ("_values",)

    _values: dict[str, Any]

    def __init__(self, **values: Any) -> None:
        object.__setattr__(self, "_values", {})
        for name, value in values.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name in COMPUTED:
            return COMPUTED[name](self)
        if name in KNOWN:
            return self._values.get(name, _DEFAULTS.get(name))
        raise AttributeError(f"'Settings' object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in COMPUTED:
            raise InvalidSettingError(f"Setting {name!r} follows from others; it cannot be set.")
        if name not in KNOWN:
            raise InvalidSettingError(
                f"Setting {name!r} is not known. docs/compat.md lists all settings."
            )
        check = _CHECKS.get(name)
        if value is None:
            self._values.pop(name, None)
        else:
            if value != _DEFAULTS.get(name):
                use("Settings", name)
            self._values[name] = check(value) if check else value

    def __getstate__(self) -> dict[str, Any]:
        return dict(self._values)

    def __setstate__(self, values: dict[str, Any]) -> None:
        object.__setattr__(self, "_values", values)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self._values.items())

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}" for name, value in self._values.items() if name != "api_key"
        )
        return f"Settings({shown})"

    def update(self, values: Mapping[str, Any]) -> None:
        """Set several at once; None leaves a setting as it is."""
        for name, value in values.items():
            if value is not None:
                setattr(self, name, value)


def gathered(settings: Settings | Mapping[str, Any] | None = None, **arguments: Any) -> Settings:
    """Join the environment, the settings object and arguments of ``init``; the last one wins."""
    wanted = Settings()
    for name, value in process_settings().items():
        if name in KNOWN:
            setattr(wanted, name, value)
    wanted.update(dict(settings or ()))
    wanted.update(arguments)
    wanted.mode = MODE_SYNONYMS.get(wanted.mode, wanted.mode)
    return wanted


def check_text(name: str, value: Any) -> str | None:
    """Return ``value`` if it is a text, or None, which leaves it open.

    Raises:
        InvalidSettingError: It is not.
    """
    if not isinstance(value, str | None):
        raise InvalidSettingError(
            f"{name.removeprefix('run_')} is {value!r} of type {type(value).__name__}, but must be "
            "a text: pass str() of it."
        )
    return value


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return ``tags`` as a run keeps them: without repetitions, in order.

    Raises:
        InvalidSettingError: One is no text of 1 to 64 characters.
    """
    if isinstance(tags, str):
        tags = (tags,)
    for tag in tags:
        if not isinstance(tag, str) or not 1 <= len(tag) <= MAX_TAG_CHARACTERS:
            raise InvalidSettingError(
                f"Tag {tag!r} is not valid: it must be a text of 1 to {MAX_TAG_CHARACTERS} "
                "characters."
            )
    return tuple(dict.fromkeys(tags))


def _check_mode(mode: Any) -> str:
    if mode not in MODES:
        raise InvalidSettingError(f"mode is {mode!r}, but must be one of {', '.join(MODES)}.")
    return str(mode)


def _check_resume(resume: Any) -> str | None:
    if isinstance(resume, bool):
        return "auto" if resume else None
    if resume not in RESUMES:
        raise InvalidSettingError(
            f"resume is {resume!r}, but must be True, False or one of {', '.join(RESUMES)}."
        )
    return str(resume)


def _check_reinit(reinit: Any) -> str:
    if isinstance(reinit, bool):
        return "finish_previous" if reinit else "return_previous"
    if reinit not in REINITS:
        raise InvalidSettingError(
            f"reinit is {reinit!r}, but must be True, False or one of {', '.join(REINITS)}."
        )
    return str(reinit)


def _check_moment(moment: Any) -> Any:
    from quark.compat.wandb.branching import parse_moment  # few runs are branches

    return parse_moment(moment)


def _check_folder(folder: Any) -> Any:
    return folder or None  # an empty WANDB_DIR or --dir means the working folder


_CHECKS: dict[str, Callable[[Any], Any]] = {
    **{name: partial(check_text, name) for name in TEXTS},
    "root_dir": _check_folder,
    "mode": _check_mode,
    "fork_from": _check_moment,
    "resume_from": _check_moment,
    "console": check_console,
    "resume": _check_resume,
    "reinit": _check_reinit,
    "run_tags": check_tags,
}
