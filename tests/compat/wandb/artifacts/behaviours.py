"""Artifacts: how they are made, what is refused, and what they say of themselves and their digests.

Everything here is seen without a server: real W&B runs offline.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import os
import pathlib
from pathlib import Path
from typing import Any

import numpy as np


def write(path: str, text: str | bytes) -> str:
    """Write a file and return its path."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def contents(artifact: Any) -> dict[str, Any]:
    """Return what is in an artifact and its digest, without where that lies on this machine."""
    here = os.getcwd()
    found = {
        path: {
            name: value.replace(here, "HERE") if isinstance(value, str) and name == "ref" else value
            for name, value in entry.items()
        }
        for path, entry in artifact.manifest.to_manifest_json()["contents"].items()
    }
    return {"entries": found, "digest": artifact.digest, "size": artifact.size}


def entry(found: Any) -> list[Any]:
    return [found.path, found.digest, found.size]


def folder_of_files() -> str:
    write("data/a.txt", "one")
    write("data/deep/b.txt", "two")
    write("data/deep/er/c.bin", bytes(range(256)))
    write("data/.hidden", "")
    write("other/d.txt", "linked")
    if not os.path.lexists("data/link"):
        os.symlink(os.path.abspath("other"), "data/link")
    return "data"


def behaviour_names(wandb: Any, see: Any) -> Any:
    for name in ("ok", "A-b_c.1", "a b", "a/b", "a:b", "", "ä", "x" * 128, "x" * 129):
        see(f"name {name[:5]!r} {len(name)}", lambda name=name: wandb.Artifact(name, "t").name)
    for type in ("dataset", "a b", "wandb-x", "job", "run_table", "code", "model", ""):
        see(f"type {type!r}", lambda type=type: wandb.Artifact("n", type).type)
    see("run- table", lambda: wandb.Artifact("run-1", "run_table"))
    see("source- code", lambda: wandb.Artifact("source-1", "code"))
    see("no type", lambda: wandb.Artifact("n"))
    see("algorithm", lambda: wandb.Artifact("n", "t", digest_algorithm="SHA1"))
    return None


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int
    y: float


def behaviour_metadata(wandb: Any, see: Any) -> Any:
    def kept(metadata: Any) -> Any:
        return wandb.Artifact("n", "t", metadata=metadata).metadata

    values = {
        "plain": {"a": 1, "b": [1, 2.5, None, True], "c": {"d": "e"}},
        "none": None,
        "empty": {},
        "text": '{"a": 1}',
        "empty text": "",
        "list": [1],
        "number": 3,
        "nan": {"a": float("nan")},
        "infinity": {"a": float("inf")},
        "numpy": {"i": np.int64(3), "f": np.float32(0.5), "a": np.arange(3), "b": np.bool_(True)},
        "tuple": {"a": (1, 2)},
        "set": {"a": {1}},
        "date": {"a": datetime.date(2024, 1, 2)},
        "moment": {"a": datetime.datetime(2024, 1, 2, 3, 4)},
        "path": {"a": pathlib.PurePosixPath("x/y")},
        "enum": {"a": Colour.RED},
        "dataclass": {"a": Point(1, 2.0)},
        "bytes": {"a": b"x"},
        "object": {"a": object()},
        "int keys": {1: "a", 2.5: "b", False: "c", None: "d"},
        "tuple keys": {(1, 2): "a"},
        "100 keys": {str(number): number for number in range(100)},
        "101 keys": {str(number): number for number in range(101)},
    }
    for label, value in values.items():
        see(label, lambda value=value: kept(value))
    artifact = wandb.Artifact("n", "t", description="d", metadata={"a": 1})
    artifact.metadata["b"] = 2
    see("changed in place", lambda: artifact.metadata)
    see("set metadata", lambda: setattr(artifact, "metadata", {"c": float("nan")}))
    see("set to", lambda: artifact.metadata)
    see("set wrong", lambda: setattr(artifact, "metadata", [1]))
    see("description", lambda: artifact.description)
    return None


def behaviour_files(wandb: Any, see: Any) -> Any:
    write("f.txt", "hello")
    write("g.txt", "other")
    write("empty", "")
    write("utf", "ä" * 1000)
    artifact = wandb.Artifact("n", "t")
    see("empty digest", lambda: [artifact.digest, artifact.size, artifact.manifest.digest()])
    see("file", lambda: entry(artifact.add_file("f.txt")))
    see("path object", lambda: entry(artifact.add_file(Path("g.txt"), name="x/g.txt")))
    see("empty", lambda: entry(artifact.add_file("empty", name="./y//empty")))
    see("again", lambda: entry(artifact.add_file("f.txt")))
    write("f.txt", "changed")
    see("other content", lambda: artifact.add_file("f.txt"))
    see("overwrite", lambda: entry(artifact.add_file("f.txt", overwrite=True)))
    see("is_tmp", lambda: entry(artifact.add_file("utf", name="m/some.name.txt", is_tmp=True)))
    see("missing", lambda: artifact.add_file("nope"))
    os.makedirs("folder", exist_ok=True)
    see("folder", lambda: artifact.add_file("folder"))
    see("policy", lambda: entry(artifact.add_file("g.txt", name="p", policy="immutable")))
    see("wrong policy", lambda: artifact.add_file("g.txt", name="q", policy="sometimes"))
    see("outside", lambda: artifact.add_file("g.txt", name="../g.txt"))
    see("absolute", lambda: artifact.add_file("g.txt", name="/g.txt"))
    see("dot", lambda: artifact.add_file("g.txt", name="."))
    see("drive", lambda: artifact.add_file("g.txt", name="c:/g.txt"))
    see("name of a path", lambda: artifact.get_added_local_path_name("f.txt"))
    see("name of another path", lambda: artifact.get_added_local_path_name("nope"))
    write("g.txt", "changed after it was added")
    os.unlink("utf")
    see("contents", lambda: contents(artifact))
    see("count", lambda: len(artifact.manifest))
    see("found", lambda: entry(artifact.manifest.get_entry_by_path("p")))
    see("in folder", lambda: [e.path for e in artifact.manifest.get_entries_in_directory("x")])
    return None


def behaviour_folders(wandb: Any, see: Any) -> Any:
    folder = folder_of_files()
    for label, keywords in (("root", {}), ("named", {"name": "x/y"}), ("slash", {"name": "x/"})):
        artifact = wandb.Artifact("n", "t")
        see(f"{label} added", lambda a=artifact, k=keywords: a.add_dir(folder, **k))
        see(f"{label} contents", lambda a=artifact: contents(a))
    artifact = wandb.Artifact("n", "t")
    artifact.add_dir(folder)
    see("again", lambda: artifact.add_dir(Path(folder)))
    write("data/a.txt", "changed")
    see("changed", lambda: artifact.add_dir(folder))
    see("merged", lambda: artifact.add_dir(folder, merge=True))
    see("merged contents", lambda: contents(artifact))
    see("missing", lambda: artifact.add_dir("nope"))
    see("file", lambda: artifact.add_dir("data/a.txt"))
    see("outside", lambda: artifact.add_dir(folder, name="../x"))
    return None


def behaviour_new_files(wandb: Any, see: Any) -> Any:
    artifact = wandb.Artifact("n", "t")

    def make(name: str, content: Any, **keywords: Any) -> None:
        with artifact.new_file(name, **keywords) as file:
            file.write(content)

    def fail() -> None:
        with artifact.new_file("broken.txt") as file:
            file.write("half")
            raise RuntimeError("stop")

    see("text", lambda: make("a.txt", "hello"))
    see("bytes", lambda: make("deep/b.bin", b"\0\1", mode="wb"))
    see("encoding", lambda: make("c.txt", "ä", mode="w", encoding="latin-1"))
    see("twice", lambda: make("a.txt", "again"))
    see("over", lambda: make("a.txt", "again", mode="w"))
    see("raised", fail)
    see("outside", lambda: make("../x", "y"))
    write("e.txt", "file")
    artifact.add_file("e.txt")
    see("over a file", lambda: make("e.txt", "other"))
    see("contents", lambda: contents(artifact))
    return None


def behaviour_removal(wandb: Any, see: Any) -> Any:
    artifact = wandb.Artifact("n", "t")
    for name in ("a", "b/c", "b/d", "e/f/g", "h"):
        with artifact.new_file(name) as file:
            file.write(name)
    see("file", lambda: artifact.remove("a"))
    see("gone", lambda: artifact.remove("a"))
    see("folder", lambda: artifact.remove("b/"))
    see("path object", lambda: artifact.remove(Path("e")))
    see("entry", lambda: artifact.remove(artifact.manifest.entries["h"]))
    see("nothing", lambda: artifact.remove("nope"))
    see("contents", lambda: contents(artifact))
    return None


def behaviour_references(wandb: Any, see: Any) -> Any:
    folder_of_files()
    here = Path.cwd().as_uri()
    artifact = wandb.Artifact("n", "t")
    see("file", lambda: len(artifact.add_reference(f"{here}/data/a.txt")))
    see("named", lambda: len(artifact.add_reference(f"{here}/data/a.txt", name="x/y.txt")))
    see("folder", lambda: len(artifact.add_reference(f"{here}/data", name="z")))
    see("http", lambda: entry(artifact.add_reference("http://h/a/b.zip?x=1", checksum=False)[0]))
    see("https", lambda: entry(artifact.add_reference("https://h/c", name="d", checksum=False)[0]))
    see("unknown", lambda: entry(artifact.add_reference("weird://x/y", name="w")[0]))
    see("unknown without name", lambda: artifact.add_reference("weird://x/y"))
    see("missing", lambda: artifact.add_reference(f"{here}/nope"))
    see("no scheme", lambda: artifact.add_reference("data/a.txt"))
    see("too many", lambda: artifact.add_reference(f"{here}/data", name="q", max_objects=1))
    see("contents", lambda: contents(artifact))
    write("data/a.txt", "something else")
    see("other content", lambda: artifact.add_reference(f"{here}/data/a.txt"))
    return None


def behaviour_drafts(wandb: Any, see: Any) -> Any:
    artifact = wandb.Artifact("n", "t", incremental=False)
    for name in (
        *("id", "name", "type", "description", "state", "source_name", "is_link", "incremental"),
        *("version", "entity", "project", "qualified_name", "aliases", "tags", "ttl", "use_as"),
        *("created_at", "updated_at", "file_count", "commit_hash", "collection", "source_version"),
        *("source_entity", "source_project", "linked_artifacts", "source_artifact", "history_step"),
        *("source_qualified_name", "source_collection", "linked_at", "distributed_id", "url"),
    ):
        see(name, lambda name=name: getattr(artifact, name))
    for name in ("wait", "download", "checkout", "verify", "files", "file", "new_draft"):
        see(f"{name}()", lambda name=name: getattr(artifact, name)())
    for name in ("logged_by", "used_by", "unlink", "delete", "json_encode", "is_draft"):
        see(f"{name}()", lambda name=name: getattr(artifact, name)())
    see("get", lambda: artifact.get("x"))
    see("item", lambda: artifact["x"])
    see("get_entry", lambda: artifact.get_entry("x"))
    see("get_path", lambda: artifact.get_path("x"))
    see("has version", lambda: hasattr(artifact, "version"))
    see("set aliases", lambda: setattr(artifact, "aliases", ["a"]))
    see("set tags", lambda: setattr(artifact, "tags", ["a"]))
    see("set ttl", lambda: setattr(artifact, "ttl", datetime.timedelta(days=3)))
    see("ttl set", lambda: artifact.ttl.total_seconds())
    see("set no ttl", lambda: setattr(artifact, "ttl", None))
    see("no ttl", lambda: artifact.ttl)
    see("negative ttl", lambda: setattr(artifact, "ttl", datetime.timedelta(days=-3)))
    see("inherit", lambda: setattr(artifact, "ttl", wandb.ArtifactTTL.INHERIT))
    see("inherited", lambda: artifact.ttl)
    see("status error", lambda: issubclass(_errors(wandb).ArtifactStatusError, AttributeError))
    return None


def _errors(wandb: Any) -> Any:
    from importlib import import_module

    return import_module(f"{wandb.__name__}.sdk.artifacts.exceptions")


def behaviour_logging(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    write("f.txt", "hello")
    artifact = wandb.Artifact("ds", "dataset")
    artifact.add_file("f.txt")
    see(
        "same object", lambda: run.log_artifact(artifact, aliases=["latest", "", "a b"]) is artifact
    )
    for label, change in {
        "add_file": lambda: artifact.add_file("f.txt"),
        "add_dir": lambda: artifact.add_dir("."),
        "new_file": lambda: artifact.new_file("x").__enter__(),
        "add_reference": lambda: artifact.add_reference("http://x/y", checksum=False),
        "remove": lambda: artifact.remove("f.txt"),
        "add": lambda: artifact.add(wandb.Html("x"), "h"),
    }.items():
        see(label, change)
    see("path", lambda: run.log_artifact("f.txt").name == f"run-{run.id}-f.txt")
    see("path type", lambda: run.log_artifact("f.txt", name="m").type)
    see("path object", lambda: run.log_artifact(Path("f.txt"), name="m", type="q").type)
    see("folder", lambda: len(run.log_artifact(folder_of_files(), name="fo").manifest.entries))
    see("missing", lambda: run.log_artifact("nope"))
    see("number", lambda: run.log_artifact(3))
    see("none", lambda: run.log_artifact(None))
    see("alias", lambda: run.log_artifact("f.txt", name="m", aliases=["a/b"]))
    see("alias with colon", lambda: run.log_artifact("f.txt", name="m", aliases="a:b"))
    see("tag", lambda: run.log_artifact("f.txt", name="m", tags=["a/b"]))
    see("bad name", lambda: run.log_artifact("f.txt", name="a b"))
    see("module", lambda: wandb.log_artifact("f.txt", name="m").name.split(":")[0])
    see("log_model", lambda: run.log_model("f.txt", name="mo"))
    see("log_model missing", lambda: run.log_model("nope"))
    see("upsert", lambda: run.upsert_artifact("f.txt"))
    see("finish_artifact", lambda: run.finish_artifact("f.txt"))
    see("link_model path", lambda: run.link_model("f.txt", "a/b"))
    run.finish()
    see("after the end", lambda: run.log_artifact("f.txt"))
    see("use after the end", lambda: run.use_artifact("f:latest"))
    see("module after the end", lambda: wandb.use_artifact("f:latest"))
    return None


def behaviour_disabled(wandb: Any, see: Any) -> Any:
    run = wandb.init(mode="disabled")
    write("f.txt", "hello")
    artifact = wandb.Artifact("ds", "dataset")
    see("entry", lambda: entry(artifact.add_file("f.txt")))
    see("digest", lambda: artifact.digest)
    see("logged is waited for", lambda: run.log_artifact(artifact).wait() is not None)
    see("draft", lambda: [artifact.is_draft(), artifact.state])
    see("wait", lambda: artifact.wait())
    for call in ("use_artifact", "use_model", "log_model"):
        see(call, lambda call=call: getattr(run, call)("x:latest"))
    see("link_artifact", lambda: run.link_artifact(artifact, "t"))
    see("link_model", lambda: run.link_model("f.txt", "t"))
    see("upsert", lambda: run.upsert_artifact(artifact))
    see("finish", lambda: run.finish_artifact(artifact))
    run.finish()
    return None
