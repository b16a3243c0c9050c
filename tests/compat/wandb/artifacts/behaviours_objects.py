"""Tables, images and other objects in artifacts: which files they make, and the digests."""

from __future__ import annotations

import datetime
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tests.compat.wandb.artifacts.behaviours import contents, entry


def image_file(path: str, shade: int = 0) -> str:
    """Write a PNG of 4 by 3 pixels, always the same bytes, and return its path."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 4, 3, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([shade, 1, 2, 3]) for _ in range(3))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def pixels(shade: int = 0) -> Any:
    return (np.arange(5 * 4 * 3, dtype=np.uint8) + shade).reshape(5, 4, 3)


def put(wandb: Any, see: Any, label: str, make: Any, name: str = "thing") -> None:
    """See what an object becomes in an artifact of its own."""
    artifact = wandb.Artifact("n", "t")
    see(f"{label} entry", lambda: entry(artifact.add(make(), name)))
    see(f"{label} contents", lambda: contents(artifact))


def named(wandb: Any, see: Any, label: str, make: Any) -> None:
    """See what the JSON of an object is called; its files depend on encoders and their versions."""
    see(label, lambda: wandb.Artifact("n", "t").add(make(), "deep/thing").path)


def behaviour_tables(wandb: Any, see: Any) -> Any:
    moment = datetime.datetime(2024, 1, 2, 3, 4, 5)
    tables = {
        "empty": ([], []),
        "numbers": (["a", "b"], [[1, 2.5], [3, float("nan")], [None, 1e300]]),
        "texts": (["a", "ä b"], [["x", "ü"], ["y", None]]),
        "booleans": (["a"], [[True], [False]]),
        "moments": (["a"], [[moment], [None]]),
        "lists": (["a", "b"], [[[1, 2], {"x": 1}], [[3], {"x": 2}]]),
        "arrays": (["a"], [[np.arange(3)], [np.arange(3)]]),
        "numpy": (["a", "b"], [[np.int64(1), np.float32(0.5)], [np.int64(2), np.float32(1.5)]]),
    }
    for label, (columns, rows) in tables.items():
        put(wandb, see, label, lambda c=columns, r=rows: wandb.Table(columns=c, data=r))
    mixed = [[1], ["x"], [None]]
    put(
        wandb,
        see,
        "mixed",
        lambda: wandb.Table(columns=["a"], data=mixed, allow_mixed_types=True),
    )
    put(wandb, see, "media name", lambda: wandb.Table(columns=["a"], data=[[1]]), "media/tables/x")
    put(wandb, see, "deep name", lambda: wandb.Table(columns=["a"], data=[[1]]), "x/y.table.json")
    named(wandb, see, "images", lambda: wandb.Table(["i"], [[wandb.Image(pixels())]]))
    return None


def behaviour_images(wandb: Any, see: Any) -> Any:
    image_file("pictures/one.png")
    classes = wandb.Classes([{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}])
    boxes = {
        "truth": {
            "box_data": [
                {
                    "position": {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4},
                    "class_id": 1,
                    "scores": {"p": 0.5},
                }
            ],
            "class_labels": {0: "cat", 1: "dog"},
        }
    }
    masks = {
        "truth": {
            "mask_data": np.arange(20, dtype=np.uint8).reshape(5, 4) % 2,
            "class_labels": {0: "cat", 1: "dog"},
        }
    }
    named(wandb, see, "pixels", lambda: wandb.Image(pixels()))
    named(wandb, see, "caption", lambda: wandb.Image(pixels(), caption="c"))
    named(wandb, see, "file", lambda: wandb.Image("pictures/one.png"))
    named(wandb, see, "classes", lambda: wandb.Image(pixels(), classes=classes))
    named(wandb, see, "boxes", lambda: wandb.Image(pixels(), boxes=boxes))
    named(wandb, see, "masks", lambda: wandb.Image(pixels(), masks=masks))
    put(wandb, see, "only classes", lambda: classes)
    return None


def behaviour_other_media(wandb: Any, see: Any) -> Any:
    Path("sound.wav").write_bytes(b"RIFF" + bytes(40))
    Path("film.mp4").write_bytes(b"film" + bytes(40))
    Path("m.pdb").write_bytes(b"ATOM\n")
    named(wandb, see, "html", lambda: wandb.Html("<p>x</p>"))
    named(wandb, see, "html as it is", lambda: wandb.Html("<p>x</p>", inject=False))
    named(wandb, see, "audio", lambda: wandb.Audio("sound.wav", caption="c"))
    named(wandb, see, "video", lambda: wandb.Video("film.mp4"))
    named(wandb, see, "points", lambda: wandb.Object3D(np.zeros((2, 3))))
    named(wandb, see, "molecule", lambda: wandb.Molecule("m.pdb"))
    return None


def behaviour_rules(wandb: Any, see: Any) -> Any:
    artifact = wandb.Artifact("n", "t")
    table = wandb.Table(columns=["a"], data=[[1]])
    see("table", lambda: entry(artifact.add(table, "x")))
    see("the same again", lambda: entry(artifact.add(table, "y")))
    see("another under the name", lambda: entry(artifact.add(wandb.Table(["b"], [[2]]), "x")))
    see("over it", lambda: entry(artifact.add(wandb.Table(["b"], [[2]]), "x", overwrite=True)))
    see("number", lambda: artifact.add(3, "n"))
    see("dict", lambda: artifact.add({}, "n"))
    see("histogram", lambda: artifact.add(wandb.Histogram([1, 2]), "n"))
    see("item", lambda: artifact.__setitem__("z", wandb.Table(["c"], [[3]])))
    see("outside", lambda: artifact.add(wandb.Table(["c"], [[3]]), "../z"))
    see("contents", lambda: contents(artifact))
    first, second = wandb.Table(["k", "a"], [[1, 2]]), wandb.Table(["k", "b"], [[1, 3]])
    named(wandb, see, "joined", lambda: wandb.JoinedTable(first, second, "k"))
    return None
