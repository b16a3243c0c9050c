"""``install``: other people's ``import wandb`` finds the shim, its own modules and no copies.

Most of it happens in processes of their own: what ``import`` finds is a thing of a whole process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import quark.compat.wandb as shim
from quark.compat.launching import FOLDER
from quark.compat.wandb.namespaces import CONTENTS

_TIMEOUT_SECONDS = 180


def outcome(
    script: str, *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script from a file, as multiprocessing needs it, in an empty folder of its own."""
    path = Path("script.py")
    path.write_text(script)
    return subprocess.run(
        [sys.executable, *options, path.name],
        env=env,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )


def holds(script: str) -> str:
    """Run a script whose assertions hold; return what it has printed."""
    result = outcome(script)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_modules_are_the_shims_own_wherever_they_are_imported_from() -> None:
    holds("""
import quark.compat.wandb as shim
shim.install()
import sys
import wandb
import wandb.errors, wandb.env, wandb.integration, wandb.data_types, wandb.plot, wandb.errors.term
from wandb import Api, Settings
from wandb.errors import term
from wandb.sdk.lib.config_util import ConfigError
from wandb.sdk.lib import RunDisabled, telemetry
import wandb.sdk.wandb_run as wandb_run
from wandb.wandb_run import Run
import wandb.integration.torch.wandb_torch as watched

assert wandb is shim and Api is shim.Api and Run is shim.Run is wandb_run.Run
assert wandb.errors is shim.errors and wandb.env is shim.env
assert wandb.errors.term is term and term.termwarn is wandb.termwarn
assert watched is sys.modules["quark.compat.wandb.integration.torch.wandb_torch"]
run = wandb.init(mode="disabled")
assert isinstance(run, Run) and isinstance(run, RunDisabled)
with telemetry.context(run=run) as told:
    told.feature.anything = True
copies = [name for name, module in sys.modules.items()
          if name.startswith("wandb.") and module is not sys.modules.get("quark.compat." + name)]
assert not copies, copies
""")


def test_every_module_can_be_imported_by_its_whole_name_alone() -> None:
    faults = holds(f"""
import quark.compat.wandb as shim
shim.install()
import importlib, sys
for path in {sorted(CONTENTS)}:
    for name in [name for name in sys.modules if name.partition(".")[0] == "wandb"]:
        if name != "wandb":
            del sys.modules[name]  # as if nothing had been imported
    shim.uninstall()
    shim.install()
    try:
        module = importlib.import_module("wandb." + path)
    except ImportError as error:
        if error.name.partition(".")[0] in ("wandb", "quark"):
            print(path, "import:", error)
        continue  # the library that it is for is not installed
    if module is not sys.modules["quark.compat.wandb." + path]:
        print(path, "is a copy")
    try:
        found = eval("shim." + path)
        if found is not module and found.__name__.rpartition(".")[2] != path.rpartition(".")[2]:
            print(path, "as an attribute is", found)
    except AttributeError as error:
        print(path, "attribute:", error)
""")

    assert faults == ""


def test_libraries_that_look_whether_wandb_is_there_find_it() -> None:
    holds("""
import quark.compat.wandb as shim
shim.install()
import importlib.util
from importlib import metadata
from packaging.requirements import Requirement
from packaging.version import Version

wandb = __import__("wandb")
assert importlib.util.find_spec("wandb") is wandb.__spec__ is not None
assert importlib.util.find_spec("wandb.sdk.wandb_run") is not None
assert metadata.metadata("wandb")["Name"] == "wandb"
version = metadata.version("wandb")
assert Version(version).public == wandb.__version__ == "0.31.0"
for wanted in ("wandb>=0.12.10", "wandb>=0.20,<1", "wandb==0.31.0", "wandb<=0.31.0"):
    assert version in Requirement(wanted).specifier, wanted
assert "wandb" in metadata.packages_distributions()["wandb"]
assert hasattr(wandb, "run") and hasattr(wandb, "__version__")
""")


def test_what_is_unknown_is_refused_and_names_the_document() -> None:
    said = holds("""
import quark.compat.wandb as shim
shim.install()
for name in ("wandb.log", "wandb.init", "wandb.nothing", "wandb.sdk.nothing", "wandb.alias"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        assert error.name == name
        print(error)
assert callable(shim.log) and callable(shim.init)
""")

    assert said.count("docs/compat.md") == 5
    assert "'wandb.sdk.nothing'" in said


def test_pickling_type_hints_inspection_and_reloading_are_as_with_any_module() -> None:
    holds("""
import quark.compat.wandb as shim
shim.install()
import copy, importlib, inspect, pickle, typing
import wandb
from wandb.sdk.wandb_settings import Settings

assert pickle.loads(pickle.dumps(wandb.Run)) is wandb.Run
assert pickle.loads(b"cwandb.sdk.wandb_run\\nRun\\n.") is wandb.Run  # W&B's own pickles
settings = Settings(project="p")
for copied in (pickle.loads(pickle.dumps(settings)), copy.deepcopy(settings)):
    assert isinstance(copied, wandb.Settings) and dict(copied) == {"project": "p"}
assert inspect.getmodule(wandb.Run).__name__ == wandb.Run.__module__
def train(run: "wandb.Run", config: "wandb.Config") -> "wandb.Settings": ...
assert typing.get_type_hints(train)["run"] is wandb.Run
assert typing.get_type_hints(wandb.init)["return"] is wandb.Run
with wandb.init(mode="disabled") as run:
    assert importlib.reload(wandb) is wandb is shim
    assert wandb.run is run
    wandb.log({"a": 1})
assert wandb.run is None
""")


def test_uninstalling_leaves_no_trace() -> None:
    holds("""
import os, sys
import quark.compat.wandb as shim
shim.uninstall()  # nothing to undo
before = dict(os.environ), list(sys.path), list(sys.meta_path)
shim.install()
shim.install()
import wandb.sdk.wandb_run
assert sys.path[0] == before[1][0] and os.environ["PYTHONPATH"] != before[0]["PYTHONPATH"]
shim.uninstall()
shim.uninstall()
assert (dict(os.environ), list(sys.path), list(sys.meta_path)) == before
assert not [name for name in sys.modules if name.split(".")[0] == "wandb"]
assert shim.sdk.wandb_run.Run is shim.Run
""")


@pytest.mark.wandb_parity
def test_the_real_package_is_put_aside_and_given_back() -> None:
    holds("""
import os, subprocess, sys
import wandb as real
import quark.compat.wandb as shim
from quark import ui
said = []
ui.say = lambda message, tone="note": said.append(message)
assert "site-packages" in real.__file__
shim.install()
import wandb
from wandb.sdk.wandb_run import Run
assert wandb is shim and Run is shim.Run
assert "imported before" in said[0]
shim.uninstall()
import wandb
from wandb.sdk.wandb_run import Run
assert wandb is real and Run is real.Run
""")


@pytest.mark.wandb_parity
def test_a_run_of_the_real_package_that_is_open_is_not_left_behind() -> None:
    result = outcome("""
import wandb
import quark.compat.wandb as shim
with wandb.init(mode="offline", settings=wandb.Settings(silent=True)):
    try:
        shim.install()
    except shim.UsageError as error:
        print(error)
import sys
assert sys.modules["wandb"] is wandb is not shim
""")

    assert "is open" in result.stdout, result.stderr


CHILDREN = """
import multiprocessing, subprocess, sys
def look(_=None):
    import wandb
    from wandb.sdk.wandb_run import Run
    from importlib import metadata
    return wandb.__name__, Run.__module__, metadata.version("wandb")
def put(queue):
    queue.put(look())
def ways():
    found = {}
    for method in ("spawn", "forkserver", "fork"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        child = context.Process(target=put, args=(queue,))
        child.start()
        found[method] = queue.get(timeout=50)
        child.join()
    code = "from script import look; print(*look())"
    for name, options in (("subprocess", []), ("no site", ["-S"])):
        result = subprocess.run([sys.executable, *options, "-c", code], capture_output=True,
            text=True, check=False)
        found[name] = tuple(result.stdout.split()) or result.stderr
    return found
"""


def test_children_of_every_kind_have_the_alias_too() -> None:
    holds(
        CHILDREN
        + """
if __name__ == "__main__":
    import quark.compat.wandb as shim
    shim.install()
    found = ways()
    without_site = found.pop("no site")
    expected = ("quark.compat.wandb", "quark.compat.wandb.run", "0.31.0+quark")
    assert found == dict.fromkeys(found, expected), found
    assert "orjson" in without_site, without_site  # the alias was found; what Quark needs was not
"""
    )


def test_children_are_left_alone_if_that_is_asked_for() -> None:
    holds(
        CHILDREN
        + """
if __name__ == "__main__":
    import os, sys
    before = dict(os.environ), list(sys.path)
    import quark.compat.wandb as shim
    shim.install(children=False)
    assert look()[0] == "quark.compat.wandb"
    assert (dict(os.environ), list(sys.path)) == before
"""
    )


def test_the_workers_of_a_data_loader_have_the_alias_too() -> None:
    pytest.importorskip("torch")

    holds("""
import torch
class Names(torch.utils.data.Dataset):
    def __len__(self): return 2
    def __getitem__(self, index):
        import wandb
        return wandb.__name__
if __name__ == "__main__":
    import quark.compat.wandb as shim
    shim.install()
    loader = torch.utils.data.DataLoader(
        Names(), batch_size=2, num_workers=1, multiprocessing_context="spawn")
    assert [list(batch) for batch in loader] == [["quark.compat.wandb"] * 2]
""")


def test_a_python_without_quark_goes_on_to_the_wandb_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "wandb.py").write_text("whose = 'its own'")
    path = os.pathsep.join([FOLDER, str(tmp_path / "other")])

    result = outcome(
        "import wandb; print(wandb.whose)", "-S", env={**os.environ, "PYTHONPATH": path}
    )

    assert result.stdout == "its own\n", result.stderr


def test_the_distribution_has_the_version_that_the_module_says() -> None:
    folders = [path.name for path in Path(FOLDER).glob("*.dist-info")]

    assert folders == [f"wandb-{shim.__version__}+quark.dist-info"]
    text = Path(FOLDER, folders[0], "METADATA").read_text()
    assert f"\nVersion: {shim.__version__}+quark\n" in text
