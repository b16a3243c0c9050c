"""The dashboard's files: what it carries is what was published, and nothing of it makes markup out
of text, or asks for anything that is not there."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "quark" / "dashboard" / "static"
VENDOR = STATIC / "vendor"
OURS = {
    path.relative_to(STATIC).as_posix(): path.read_text()
    for path in sorted(STATIC.rglob("*.js"))
    if VENDOR not in path.parents
}
#: Ours beside what others made.
OURS_IN_VENDOR = {"manifest.json", "preact.d.ts"}

# -- what others made ------------------------------------------------------------------------------


def test_vendored_files_are_what_the_manifest_says() -> None:
    files = json.loads((VENDOR / "manifest.json").read_text())["files"]

    for item in files:
        content = (VENDOR / item["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == item["sha256"], item["file"]
        assert item["package"]
        assert re.fullmatch(r"\d+\.\d+\.\d+", item["version"])
        assert item["licence"]
    named = {item["file"] for item in files}
    assert named | OURS_IN_VENDOR == {path.name for path in VENDOR.iterdir()}
    packages = {item["package"] for item in files}
    assert {f"LICENSE.{package}" for package in packages} <= named


# -- text stays text -------------------------------------------------------------------------------

#: What turns text into markup or program. ``DOMParser`` and ``Range`` parse markup too.
MARKUP = re.compile(
    r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|dangerouslySetInnerHTML"
    r"|createContextualFragment|DOMParser|document\s*\.\s*write(?:ln)?|execScript|srcdoc"
    r"|importScripts)\b"
    r"|\beval\s*\(|\bnew\s+Function\b|\bFunction\s*\("
    r"|\bset(?:Timeout|Interval)\s*\(\s*[\"'`]"
    r"|\bstyle\s*=\s*[\"'`]|\bcssText\b|\bon[a-z]+\s*=\s*[\"'`]"
    r"|\bjavascript:"
)
#: Where a name stands in a comment or is the point of the file.
ELSEWHERE = re.compile(r"(?:https?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+/?", re.IGNORECASE)


def without_comments(text: str) -> str:
    """Blank out comments that have lines of their own, which may name what is not done."""
    text = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
    return re.sub(r"^\s*/\*.*?\*/\s*$", "", text, flags=re.MULTILINE | re.DOTALL)


def markup_made(text: str) -> list[str]:
    """Where a module makes markup or program out of text."""
    return [match.group() for match in MARKUP.finditer(without_comments(text))]


@pytest.mark.parametrize("file", OURS)
def test_nothing_makes_markup_out_of_text(file: str) -> None:
    assert markup_made(OURS[file]) == []


@pytest.mark.parametrize(
    "text",
    [
        "box.innerHTML = name",
        "box . outerHTML = name",
        "box['insertAdjacentHTML']('beforeend', name)",
        "eval(text)",
        "new Function(text)()",
        "setTimeout('go()', 1)",
        'html`<b style="color: red">`',
        'html`<a onclick="go()">`',
        "document.write(text)",
        "h('div', { dangerouslySetInnerHTML: { __html: text } })",
        "html`<iframe srcdoc=${text}>`",
        "new DOMParser().parseFromString(text, 'text/html')",
        'html`<a href="javascript:void 0">`',
    ],
)
def test_what_makes_markup_is_found(text: str) -> None:
    assert markup_made(text) != []


@pytest.mark.parametrize(
    "text",
    [
        "// Nothing here sets innerHTML.",
        "/** No eval: the policy forbids it. */",
        "html`<b style=${{ color }}>`",
        "html`<a onClick=${follow}>`",
        "evaluate(text); retrieval()",
        "setTimeout(() => go(), 1)",
    ],
)
def test_what_makes_none_is_left_alone(text: str) -> None:
    assert markup_made(text) == []


def test_the_page_holds_no_script_or_style_of_its_own() -> None:
    page = (STATIC / "index.html").read_text()

    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\bstyle=|\bon[a-z]+=", page) == []


# -- nothing from elsewhere, nothing missing -------------------------------------------------------


@pytest.mark.parametrize(
    "file", [*OURS, "index.html", "style.css", *(f"vendor/{name}" for name in ("uplot.css",))]
)
def test_nothing_is_loaded_from_elsewhere(file: str) -> None:
    text = (STATIC / file).read_text()
    asked = re.findall(r"(?:src|href)=[\"'](?!/ui/static/)([^\"'$]+)", text) if "." in file else []
    asked += re.findall(r"url\(([^)]*)\)|@import[^;]*", text) if file.endswith(".css") else []

    assert [one for one in asked if not one.startswith("#")] == []
    assert [
        one
        for one in ELSEWHERE.findall(without_comments(text))
        if "www.w3.org" not in one and "example.com" not in one
    ] == []


_IMPORT = re.compile(r"""\bfrom\s+["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)""")
_NAMES = re.compile(r"""import\s+(?:[\w$]+\s*,\s*)?\{([^}]*)\}\s*from\s+["']([^"']+)["']""")


def exported(text: str) -> set[str]:
    """The names that a module gives."""
    names = set(
        re.findall(r"^export\s+(?:async\s+)?(?:function\*?|const|let|class)\s+([\w$]+)", text, re.M)
    )
    for inside in re.findall(r"export\s*\{([^}]*)\}", text):
        names |= {part.split(" as ")[-1].strip() for part in inside.split(",") if part.strip()}
    return names


@pytest.mark.parametrize("file", OURS)
def test_every_import_is_there(file: str) -> None:
    folder = (STATIC / file).parent
    missing = []
    for found in _IMPORT.finditer(OURS[file]):
        name = found.group(1) or found.group(2)
        assert name.startswith("."), f"{name} is no file of the dashboard"
        if not (folder / name).is_file():
            missing.append(name)
    for inside, name in _NAMES.findall(OURS[file]):
        given = exported((folder / name).read_text()) if (folder / name).is_file() else set()
        wanted = {part.split(" as ")[0].strip() for part in inside.split(",") if part.strip()}
        missing += [f"{one} of {name}" for one in sorted(wanted - given)]

    assert missing == []


def test_every_module_is_used() -> None:
    used = {"app.js", "core/theme-first.js"}
    for file, text in OURS.items():
        for found in _IMPORT.finditer(text):
            target = ((STATIC / file).parent / (found.group(1) or found.group(2))).resolve()
            used.add(target.relative_to(STATIC).as_posix())

    assert set(OURS) - used == set()


# -- what is shipped -------------------------------------------------------------------------------


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is missing")
def test_the_wheel_holds_the_pages(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in STATIC.rglob("*")
        if path.is_file() and path.name != ".DS_Store"
    }
    assert expected <= held
    assert len(expected) > 30
