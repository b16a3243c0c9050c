"""What the design promises about the shape of the code, read off its syntax trees.

Who may import whom is in ``test_floors.py``. Every check here is a function that is also fed a
small source with the fault in it, so that it is known to be able to fail.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.syntax import (
    ROOT,
    SOURCES,
    Finder,
    broad_excepts,
    foreign_privates,
    private_names_defined,
    store_constructions,
    using,
)

SHIM = "compat/wandb/"

MAX_LINES = 400

# -- one home each -------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneHome:
    """What may stand only in ``homes``, a map from file to the reason."""

    find: Finder
    homes: dict[str, str]
    faulty: tuple[str, ...]
    fine: tuple[str, ...]


WALL_CLOCK = r"datetime\.(?:datetime\.(?:now|utcnow|today)|date\.today)"

RULES: dict[str, OneHome] = {
    "threads": OneHome(
        find=using(
            r"threading\.(?:Thread|Timer)|_thread\.start_new(?:_thread)?|concurrent\.futures"
            r"|multiprocessing\.(?:Process|Pool|pool|dummy)"
        ),
        homes={"pipeline/worker.py": "the one owner of what runs in the background"},
        faulty=(
            "import threading\nthreading.Thread(target=print).start()",
            "from threading import Timer as T\nT(1, print)",
            "import threading as t\nclass Mine(t.Thread): ...",
            "from concurrent.futures import ThreadPoolExecutor",
            "from multiprocessing import Process",
        ),
        fine=(
            "import threading\nthreading.Lock(), threading.current_thread()",
            "class Thread: ...\nThread()",
        ),
    ),
    "environment variables": OneHome(
        find=using(r"os\.(?:environb?|getenvb?|putenv|unsetenv)"),
        homes={"settings.py": "so that what overrules what is written down once"},
        faulty=(
            "import os\nos.environ['HOME']",
            "import os\nos.environ.get('HOME')",
            "from os import getenv",
            "import os as system\nsystem.getenv('HOME')",
        ),
        fine=("import os\nos.getpid()", "environ = {}\nenviron.get('HOME')"),
    ),
    "time": OneHome(
        find=using(rf"time|{WALL_CLOCK}"),
        homes={"clock.py": "so that tests can move it"},
        faulty=(
            "import time",
            "from time import monotonic",
            "from datetime import datetime\ndatetime.now()",
            "import datetime as d\nd.datetime.utcnow()",
            "from datetime import date\ndate.today()",
        ),
        fine=(
            "from datetime import datetime\ndatetime.fromisoformat('2024-01-01')",
            "def f(time, record):\n    return time.sleep, record.time",
        ),
    ),
    "waiting for time to pass": OneHome(
        find=using(r"time\.sleep"),
        homes={},
        faulty=("import time\ntime.sleep(1)", "from time import sleep"),
        fine=("import time\ntime.monotonic()",),
    ),
    "JSON": OneHome(
        find=using(r"json|orjson|simplejson|ujson|rapidjson|msgspec\.json"),
        homes={"jsonio.py": "so that NaN has one policy"},
        faulty=(
            "import json",
            "def f():\n    import orjson",
            "from json import dumps",
            "import msgspec\nmsgspec.json.decode(b'')",
        ),
        fine=("from quark import jsonio\njsonio.dumps({})", "import msgspec\nmsgspec.Struct"),
    ),
    "the choice of a store": OneHome(
        find=store_constructions,
        homes={
            "persistence/open.py": "so that a URL means the same everywhere",
            "persistence/engines.py": "the same for a service",
        },
        faulty=(
            "EmbeddedStore(path)",
            "storage.embedded.EmbeddedStore(path)",
            "HttpStore.connect(url)",
        ),
        fine=("def f(store: EmbeddedStore) -> EmbeddedStore:\n    return store", "open_store(s)"),
    ),
    "catching everything": OneHome(
        find=broad_excepts,
        homes={
            "pipeline/worker.py": "worker: a bug of ours must not end the thread that delivers",
            "pipeline/deferred.py": "hook: what was measured of somebody's model may be anything",
            "pipeline/shipper.py": "worker: whatever a store raises, the journal keeps the frames",
            "session/console.py": "probe: what is printed goes out, whatever becomes of its copy",
            "telemetry/barrier.py": "probe: a driver or a system file may fail in any way",
            "analyzers/judge.py": "rule: one that fails says nothing, and the others go on",
            "live/guarding.py": "hook: what is kept of a skipped step must not stop a training",
            "live/telling.py": "hook: a listener to alerts is the user's code",
            "hooks/engine.py": "hook: what a layer puts out is anyone's code",
            "hooks/loop_hooks.py": "hook: what is seen of a training loop must not stop it",
            "compat/wandb/integration/autolog.py": "hook: a library's call has succeeded",
            "compat/wandb/integration/event_writers.py": "hook: a writer is given anything",
            "compat/wandb/watched_graph.py": "hook: as above, without a line of the user's own",
            "compat/wandb/watched_model.py": "hook: as above, without a line of the user's own",
            "hooks/parameters.py": "hook: what is measured of parameters must not stop a training",
            "hooks/architecture.py": "hook: what a module says of itself is anyone's code",
            "hooks/architecture_graph.py": "hook: a forward pass goes on, whatever is seen of it",
            "service/ingest.py": "worker: what a store raises is answered to the sender",
            "session/extension.py": "rule and probe: an extension is somebody else's code",
            "writers/artifact_retention.py": "hook: the user's, called after what was stored",
            "writers/batch_extraction.py": "hook: an adapter is the user's code",
            "sweeps/agent.py": "hook: what a trial of a sweep runs is the user's code",
        },
        faulty=(
            "try: f()\nexcept: pass",
            "try: f()\nexcept Exception: pass",
            "try: f()\nexcept (OSError, BaseException) as error: log(error)",
            "try: f()\nexcept Exception as error:\n    raise error",
            "import contextlib\nwith contextlib.suppress(Exception): f()",
        ),
        fine=(
            "try: f()\nexcept (OSError, ValueError): pass",
            "try: f()\nexcept BaseException:\n    undo()\n    raise",
            "import contextlib\nwith contextlib.suppress(OSError): f()",
        ),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_has_one_home(name: str) -> None:
    rule = RULES[name]

    strays = [
        f"quark/{file}:{found.line}: {found.what}"
        for file, path in SOURCES.items()
        if file not in rule.homes
        for found in rule.find(ast.parse(path.read_text()))
    ]

    assert strays == [], f"{name} belongs in {sorted(rule.homes) or 'no file'}"


@pytest.mark.parametrize(
    ("name", "home"), [(name, home) for name, rule in RULES.items() for home in rule.homes]
)
def test_every_home_is_lived_in(name: str, home: str) -> None:
    assert home in SOURCES, f"quark/{home} is gone; take it off the list"

    assert RULES[name].find(ast.parse(SOURCES[home].read_text())), f"quark/{home} needs no pass"


@pytest.mark.parametrize(
    ("name", "source"), [(name, text) for name, rule in RULES.items() for text in rule.faulty]
)
def test_the_rule_finds(name: str, source: str) -> None:
    assert RULES[name].find(ast.parse(source)) != []


@pytest.mark.parametrize(
    ("name", "source"), [(name, text) for name, rule in RULES.items() for text in rule.fine]
)
def test_the_rule_leaves_alone(name: str, source: str) -> None:
    assert RULES[name].find(ast.parse(source)) == []


# -- the shim uses what is public ----------------------------------------------------------------


def test_the_shim_uses_only_public_names_of_what_is_below() -> None:
    trees = {
        file: ast.parse(path.read_text()) for file, path in SOURCES.items() if file.startswith(SHIM)
    }
    own = set().union(*(private_names_defined(tree) for tree in trees.values()))

    strays = [
        f"quark/{file}:{found.line}: {found.what}"
        for file, tree in trees.items()
        for found in foreign_privates(tree, own)
    ]

    assert trees
    assert strays == []


@pytest.mark.parametrize(
    ("source", "strays"),
    [
        ("session._journal.append(b'')", ["session._journal"]),
        ("from quark.session.training import _chosen", ["quark.session.training._chosen"]),
        ("class Run:\n    def _log(self): ...\nRun()._log()", []),
        ("from quark import _optional\nx.__class__, _", []),
    ],
)
def test_foreign_privates_are_told_from_own_ones(source: str, strays: list[str]) -> None:
    tree = ast.parse(source)

    assert [found.what for found in foreign_privates(tree, private_names_defined(tree))] == strays


# -- sizes and names -----------------------------------------------------------------------------

#: Names that say nothing about what a module is for.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}


def shape_faults(file: str, text: str) -> list[str]:
    """What is wrong with a file's length or with the words of its path."""
    faults = []
    lines = text.count("\n")
    if lines > MAX_LINES:
        faults.append(f"{file}: {lines} lines; a file is one thing, {MAX_LINES} is the limit")
    words = [part.strip("_") for part in file.removesuffix(".py").split("/")]
    faults += [f"{file}: {word!r} says nothing" for word in words if word in EMPTY_NAMES]
    return faults


def test_files_are_one_thing_and_say_which() -> None:
    faults = [
        fault for file, path in SOURCES.items() for fault in shape_faults(file, path.read_text())
    ]

    assert faults == []


@pytest.mark.parametrize(
    ("file", "text", "count"),
    [
        ("storage/chunk.py", "x\n" * MAX_LINES, 0),
        ("storage/chunk.py", "x\n" * (MAX_LINES + 1), 1),
        ("storage/utils.py", "", 1),
        ("_helpers.py", "", 1),
        ("common/json.py", "", 1),
        ("storage/common_words.py", "", 0),
    ],
)
def test_shape_faults_are_found(file: str, text: str, count: int) -> None:
    assert len(shape_faults(file, text)) == count


# -- imports stay light --------------------------------------------------------------------------

HEAVY = {
    *("click", "fastapi", "httpx", "numpy", "pandas", "psutil", "pydantic", "rich", "scipy"),
    *("sqlalchemy", "starlette", "torch", "wandb"),
}


def packages_loaded_by(statement: str, python: str) -> set[str]:
    """The top-level packages that a fresh interpreter loads for one statement."""
    script = (
        f"import sys; before = set(sys.modules)\n{statement}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    result = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import quark",
        "import quark.compat.wandb as wandb",
        "from quark import EventLogger, MetricsLogger, TrainingSession",
    ],
)
def test_importing_quark_loads_nothing_heavy(statement: str, python: str) -> None:
    assert packages_loaded_by(statement, python) & HEAVY == set()


def test_a_heavy_import_would_be_seen(python: str) -> None:
    assert "click" in packages_loaded_by("import quark.cli.main", python) & HEAVY


# -- nothing of one machine ----------------------------------------------------------------------

MACHINE_PATH = re.compile(
    r"(?<![\w.~/-])/(?:root|work|var/folders)/\w|(?<![\w.~/-])/(?:home|Users)/(?!alice\b|bob\b|me\b|user\b|you\b)\w"
)


def machine_paths(text: str, here: set[str]) -> list[str]:
    """Absolute paths in ``text`` that mean something on one machine only."""
    found = [text[match.start() : match.end() + 20] for match in MACHINE_PATH.finditer(text)]
    return found + sorted(path for path in here if path in text)


def project_files() -> list[Path]:
    """Every file that is tracked, or would be if everything were added now."""
    listed = subprocess.run(
        [
            "git",
            "-c",
            "safe.directory=*",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def paths_of_this_machine() -> set[str]:
    """Where this checkout, its interpreter and its user live, unless too short to mean that."""
    return {str(path) for path in (ROOT, Path(sys.prefix)) if len(path.parts) > 2}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_no_file_names_a_path_of_one_machine() -> None:
    here = paths_of_this_machine()

    strays = {
        str(path.relative_to(ROOT)): found
        for path in project_files()
        if (found := machine_paths(path.read_text(errors="ignore"), here))
    }

    assert strays == {}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (os.sep + "root/project", 1),
        (os.sep + "home/somebody/project", 1),
        (os.sep + "Users/somebody/project", 1),
        ("see /opt/quark/bin", 1),
        ("~/.config/quark, /home/user/data, https://example.com/root/x", 0),
    ],
)
def test_machine_paths_are_found(text: str, count: int) -> None:
    assert len(machine_paths(text, {"/opt/quark"})) == count
