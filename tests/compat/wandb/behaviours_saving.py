"""``save``, ``restore``, ``log_code``: which files are kept under which name, what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def write(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


def saved(run: Any, *args: Any, **keywords: Any) -> list[str]:
    """Return what ``save`` gave, below the run's folder."""
    return [os.path.relpath(path, run.dir) for path in run.save(*args, **keywords)]


def behaviour_save_paths(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    write("a/b/c.txt", "a/b/d.txt", "a/e.txt", "f.txt", "odd[1].txt")
    here = os.getcwd()
    see("relative", lambda: saved(run, "a/b/c.txt"))
    see("glob", lambda: saved(run, "a/*/*.txt"))
    see("base", lambda: saved(run, "a/b/*", base_path="a"))
    see("base is the folder", lambda: saved(run, "a/b/c.txt", "a/b"))
    see("absolute", lambda: saved(run, f"{here}/a/b/c.txt"))
    see("absolute with base", lambda: saved(run, f"{here}/a/b/*.txt", here))
    see("path object", lambda: saved(run, Path("f.txt")))
    see("bytes", lambda: saved(run, b"f.txt"))
    see("folder", lambda: saved(run, "a"))
    see("nothing", lambda: saved(run, "no-*"))
    see("stars", lambda: saved(run, "a/**"))
    see("cloud", lambda: saved(run, "s3://bucket/x"))
    see("pattern in a name", lambda: saved(run, "odd[1].txt"))
    see("literal", lambda: saved(run, "odd[1].txt", glob=False))
    see("literal that is not there", lambda: saved(run, "*.txt", glob=False))
    see("twice", lambda: saved(run, "f.txt"))
    see("end", lambda: saved(run, "a/e.txt", policy="end"))
    see("now", lambda: saved(run, "a/e.txt", policy="now"))
    see("module", lambda: [os.path.basename(path) for path in wandb.save("f.txt")])
    see("content", lambda: Path(run.dir, "a/b/c.txt").read_text())
    write(f"{run.dir}/own.txt")
    see("in the run's folder", lambda: saved(run, "own.txt"))
    see("exist", lambda: all(Path(path).exists() for path in run.save("a/*/*")))
    return None


def behaviour_save_refusals(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    write("a/b.txt")
    see("policy", lambda: run.save("a/b.txt", policy="sometimes"))
    see("above", lambda: run.save("../x"))
    see("beside the base", lambda: run.save("a/b.txt", base_path="c"))
    see("everything", lambda: run.save("*"))
    see("everything below a base", lambda: run.save("a/*", base_path="a"))
    see("the base", lambda: run.save("a", base_path="a"))
    see("no path", lambda: run.save(3))
    run.finish()
    see("after the end", lambda: run.save("a/b.txt"))
    return None


def behaviour_save_before_init(wandb: Any, see: Any) -> Any:
    see("save", lambda: wandb.save("x"))
    see("restore", lambda: wandb.restore("x"))
    see("mark_preempting", lambda: wandb.mark_preempting())
    return None


def behaviour_disabled_files(wandb: Any, see: Any) -> Any:
    run = wandb.init(mode="disabled")
    see("mark_preempting", lambda: run.mark_preempting())
    see("display", lambda: run.display())
    return None


def behaviour_live_file(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    write("live.txt")
    run.save("live.txt")
    folder = Path(run.dir)
    Path("live.txt").write_text("changed")
    run.finish()
    see("content", lambda: (folder / "live.txt").read_text())
    return None


def behaviour_log_code(wandb: Any, see: Any) -> Any:
    write("src/a.py", "src/lib/b.py", "src/notes.txt", "src/Dockerfile", "src/wandb/own.py")
    run = wandb.init(project="p", settings={"program": "src/a.py", "disable_git": True})
    artifact = run.log_code("src")
    see("type", lambda: artifact.type)
    see("files", lambda: sorted(artifact.manifest.entries))
    see("none", lambda: run.log_code("no-such-folder"))
    some = run.log_code("src", name="some", include_fn=lambda path: path.endswith(".txt"))
    see("chosen", lambda: sorted(some.manifest.entries))
    rest = run.log_code(
        "src", name="rest", exclude_fn=lambda path, root: os.path.relpath(path, root) == "a.py"
    )
    see("left out", lambda: sorted(rest.manifest.entries))
    return None
