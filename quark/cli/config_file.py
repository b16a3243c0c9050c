"""Changes of ``config.toml``, by the line, so that what people wrote into it stays.

Whatever is changed is read again before it is kept: a file that would not say exactly what it
should is left as it was, and its owner is told what to write.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quark._setting_file import PLACE, TARGETS, a_target, parse_config, quoted
from quark.errors import SettingsError
from quark.settings import Settings, config_file, config_path, setting_names

_HEADER = re.compile(r"\s*\[")
_STRING = r'"(?:[^"\\]|\\.)*"|\'[^\']*\''
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700


def targets() -> dict[str, dict[str, str]]:
    """Return the targets of the file, by name in its order.

    Raises:
        SettingsError: The file cannot be read, or names what is no setting.
    """
    return config_file().targets


def chosen_target() -> str | None:
    """Return the target that the file chooses, if it does."""
    name = config_file().settings.get("target")
    return name if isinstance(name, str) else None


def set_target(name: str, values: Mapping[str, str | None], *, choose: bool) -> Path:
    """Set keys of a target, made if there is none; None takes a key away. Return the file's path.

    Args:
        name: The target.
        values: What of :data:`~quark._setting_file.PLACE` it is to say; the rest stays.
        choose: Whether it becomes the one that is used where nobody names another.

    Raises:
        SettingsError: A name breaks its rule, or the file cannot be changed by itself.
    """
    rule = a_target(name)
    if rule:
        raise SettingsError(f"Target {name!r} cannot be: a target's name must {rule}.")
    assert values.keys() <= set(PLACE), values.keys()
    file = config_file()
    wanted = dict(file.targets)
    before = wanted.get(name, {})
    after = {**before, **values}
    wanted[name] = {key: value for key, value in after.items() if value is not None}
    said: dict[str, Any] = {**wanted[name]}
    Settings(**said)  # refuses what could not be read again
    settings = {**file.settings, **({"target": name} if choose else {})}
    lines = _Lines(_text())
    lines.set_table(name, wanted[name], is_new=name not in file.targets)
    if choose:
        lines.set_flat("target", name)
    return _keep(lines.text, settings, wanted)


def remove_target(name: str) -> Path:
    """Remove a target, which is no longer chosen then. Return the file's path.

    Raises:
        SettingsError: There is none, or the file cannot be changed by itself.
    """
    file = config_file()
    check_target(name)
    settings = dict(file.settings)
    lines = _Lines(_text())
    lines.drop_table(name)
    if settings.get("target") == name:
        del settings["target"]
        lines.drop_flat("target")
    wanted = {other: table for other, table in file.targets.items() if other != name}
    return _keep(lines.text, settings, wanted)


def choose_target(name: str) -> Path:
    """Choose the target that is used where nobody names another. Return the file's path.

    Raises:
        SettingsError: There is none, or the file cannot be changed by itself.
    """
    file = config_file()
    check_target(name)
    lines = _Lines(_text())
    lines.set_flat("target", name)
    return _keep(lines.text, {**file.settings, "target": name}, file.targets)


def check_target(name: str) -> dict[str, str]:
    """Return what a target says.

    Raises:
        SettingsError: There is none of the name.
    """
    there = targets()
    if name not in there:
        known = f"It has {', '.join(there)}." if there else "It has none yet: see `quark init`."
        raise SettingsError(f"There is no target {name!r} in {config_path()}. {known}")
    return there[name]


def _text() -> str:
    try:
        return Path(config_path()).read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _keep(text: str, settings: Mapping[str, Any], wanted: Mapping[str, Mapping[str, str]]) -> Path:
    path = Path(config_path())
    try:
        kept = parse_config(text.encode(), str(path), setting_names())
    except SettingsError as error:
        raise _by_hand(path, settings, wanted) from error
    if kept.settings != settings or kept.targets != wanted:
        raise _by_hand(path, settings, wanted)
    _write(path, text.encode())
    return path


def _by_hand(
    path: Path, settings: Mapping[str, Any], wanted: Mapping[str, Mapping[str, str]]
) -> SettingsError:
    lines = [f"target = {quoted(settings['target'])}"] if "target" in settings else []
    for name, table in wanted.items():
        lines.append(f"[{TARGETS}.{name}]")
        lines += [
            f"{key} = " + ('"…"' if key == "user_key" else quoted(value))
            for key, value in table.items()
        ]
    shown = "\n".join(f"  {line}" for line in lines) or "  (no target)"
    return SettingsError(
        f"{path} is written in a way that cannot be changed without losing something; nothing was "
        f"changed. Write its targets like this, or change it yourself so that it says:\n{shown}"
    )


def _write(path: Path, content: bytes) -> None:
    """Put a file in the place of the one before, readable by its owner alone."""
    place = Path(
        os.path.realpath(path)
    )  # the files of some people are links to where they keep them
    temporary = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        with contextlib.suppress(PermissionError):  # somebody else's folder, shared on purpose
            path.parent.chmod(_PRIVATE_FOLDER)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, place)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror}. Settings can also come from the "
            "environment, see docs/settings.md."
        ) from error


class _Lines:
    """A file by its lines. What it makes of a file is checked afterwards, not believed."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    @property
    def text(self) -> str:
        """The file as it is now."""
        return "\n".join(self._lines).rstrip("\n") + "\n" if self._lines else ""

    def set_flat(self, key: str, value: str) -> None:
        """Set a key in front of all tables."""
        end = self._next_header(0)
        if not self._set(0, end, key, value):
            while end and (not self._lines[end - 1].strip() or self._is_comment(end - 1)):
                end -= 1  # what is said of the first table stays with it
            gap = [""] if end < len(self._lines) and self._lines[end].strip() else []
            self._lines[end:end] = [f"{key} = {quoted(value)}", *gap]

    def drop_flat(self, key: str) -> None:
        """Take a key in front of all tables away."""
        self._drop(0, self._next_header(0), key)

    def set_table(self, name: str, table: Mapping[str, str], *, is_new: bool) -> None:
        """Let a target say what ``table`` does."""
        if is_new:
            if self._lines and self._lines[-1].strip():
                self._lines.append("")
            self._lines.append(f"[{TARGETS}.{name}]")
        header = self._header_of(name)
        if header is None:
            return
        for key in PLACE:
            end = self._next_header(header + 1)
            if key not in table:
                self._drop(header + 1, end, key)
            elif not self._set(header + 1, end, key, table[key]):
                while not self._lines[end - 1].strip() or self._is_comment(end - 1):
                    end -= 1  # what is said of the next table stays with it
                self._lines.insert(end, f"{key} = {quoted(table[key])}")

    def drop_table(self, name: str) -> None:
        """Take a target away; comments in it stay."""
        header = self._header_of(name)
        if header is None:
            return
        end = self._next_header(header + 1)
        for key in PLACE:
            end -= self._drop(header + 1, end, key)
        comment = self._lines[header].partition("]")[2].strip()
        self._lines[header : header + 1] = [comment] if comment else []
        while 0 < header < len(self._lines) and not (
            self._lines[header - 1].strip() or self._lines[header].strip()
        ):
            del self._lines[header]

    def _header_of(self, name: str) -> int | None:
        pattern = re.compile(
            rf"\s*\[\s*{TARGETS}\s*\.\s*(?:{re.escape(name)}|\"{re.escape(name)}\""
            rf"|'{re.escape(name)}')\s*\]\s*(?:#.*)?"
        )
        return next((at for at, line in enumerate(self._lines) if pattern.fullmatch(line)), None)

    def _next_header(self, start: int) -> int:
        lines = range(start, len(self._lines))
        return next((at for at in lines if _HEADER.match(self._lines[at])), len(self._lines))

    def _is_comment(self, at: int) -> bool:
        return self._lines[at].lstrip().startswith("#")

    def _set(self, start: int, end: int, key: str, value: str) -> bool:
        found = self._find(start, end, key)
        if found is None:
            return False
        at, match = found
        self._lines[at] = f"{match['before']}{quoted(value)}{match['after']}"
        return True

    def _drop(self, start: int, end: int, key: str) -> int:
        """Take a key away, but not the comment behind it; return how many lines fewer there are."""
        found = self._find(start, end, key)
        if found is None:
            return 0
        at, match = found
        comment = match["after"].strip()
        self._lines[at : at + 1] = [comment] if comment else []
        return 0 if comment else 1

    def _find(self, start: int, end: int, key: str) -> tuple[int, re.Match[str]] | None:
        pattern = re.compile(
            rf"(?P<before>\s*(?:{key}|\"{key}\"|'{key}')\s*=\s*)(?:{_STRING})(?P<after>\s*(?:#.*)?)"
        )
        for at in range(start, end):
            match = pattern.fullmatch(self._lines[at])
            if match is not None:
                return at, match
        return None
