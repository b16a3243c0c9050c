"""Starting Python on one of Quark's own modules.

``python -m`` looks into the working directory first: a folder ``quark`` there, or a file
``json.py``, would be taken for the real one, in a process that keeps other people's runs. And an
installation that is made again meanwhile is missing for a moment. So the working directory is left
out, and the child gets the very package that its parent runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_PROGRAM = """\
import runpy, sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
folder, name = sys.argv[1:3]
spec = PathFinder.find_spec("quark", [folder])
sys.modules["quark"] = quark = module_from_spec(spec)
spec.loader.exec_module(quark)
del sys.argv[1:3]
runpy.run_module(name, run_name="__main__", alter_sys=True)
"""


def own_python(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of Quark as ``__main__``, in any working directory.

    >>> own_python("quark.service.reading_child")[-1]
    'quark.service.reading_child'
    """
    # -P: the working directory is no place of modules.
    return (sys.executable, "-P", "-c", _PROGRAM, str(_PACKAGE.parent), module, *arguments)
