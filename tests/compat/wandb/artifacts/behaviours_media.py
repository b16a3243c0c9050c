"""Media in artifacts: their JSON, their files, the names of these, and the digests.

Nothing is logged, so everything is what a package computes on this machine.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np

from tests.compat.wandb.artifacts.behaviours import contents, write
from tests.compat.wandb.artifacts.behaviours_objects import image_file, pixels, put

CLASSES = [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}, {"id": 7, "name": "ä"}]
LABELS = {0: "cat", 1: "dog"}
CORNERS = {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4}
MIDDLE = {"middle": (3, 2), "width": 2, "height": 1}


def boxes(**more: Any) -> dict[str, Any]:
    first = {"position": CORNERS, "class_id": 1, "scores": {"p": 0.5, "q": 1}, "box_caption": "b"}
    second = {"position": MIDDLE, "class_id": 3, "domain": "pixel"}
    return {"box_data": [first, second], **more}


def mask(**more: Any) -> dict[str, Any]:
    return {"mask_data": np.arange(20, dtype=np.uint8).reshape(5, 4) % 3, **more}


def photo(height: int = 50, width: int = 70) -> Any:
    """Return pixels that compress badly, the same each time."""
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def behaviour_images(wandb: Any, see: Any) -> Any:
    import PIL.Image
    import torch

    image_file("pictures/one.png")
    image_file("other/one.png", shade=9)
    PIL.Image.fromarray(photo()).save("pictures/photo.jpg")
    palette = PIL.Image.fromarray(photo()).quantize(16)
    kinds = {
        "pixels": lambda: wandb.Image(pixels()),
        "photo": lambda: wandb.Image(photo()),
        "caption": lambda: wandb.Image(pixels(), caption="ä caption"),
        "grouping": lambda: wandb.Image(pixels(), grouping=3),
        "grey": lambda: wandb.Image(pixels()[..., 0]),
        "alpha": lambda: wandb.Image(np.dstack([pixels(), pixels()[..., 0]])),
        "mode": lambda: wandb.Image(pixels(), mode="L"),
        "integers": lambda: wandb.Image(pixels().astype(np.int64)),
        "floats up to 255": lambda: wandb.Image(pixels().astype(np.float64)),
        "floats in [0, 1]": lambda: wandb.Image(pixels() / 255),
        "bytes of torch": lambda: wandb.Image(torch.from_numpy(pixels()).permute(2, 0, 1)),
        "pil": lambda: wandb.Image(PIL.Image.fromarray(photo())),
        "pil palette": lambda: wandb.Image(palette),
        "jpg": lambda: wandb.Image(photo(), file_type="jpg"),
        "bmp": lambda: wandb.Image(pixels(), file_type="bmp"),
        "path": lambda: wandb.Image("pictures/one.png"),
        "path object": lambda: wandb.Image(Path("pictures/one.png"), caption="c"),
        "path jpg": lambda: wandb.Image("pictures/photo.jpg"),
        "image of an image": lambda: wandb.Image(wandb.Image(pixels(), caption="c")),
        "no file": lambda: wandb.Image("weird://x/y.png"),
    }
    for label, make in kinds.items():
        put(wandb, see, label, make)
    return None


def behaviour_layers(wandb: Any, see: Any) -> Any:
    image_file("masks/m.png")
    kinds: dict[str, dict[str, Any]] = {
        "classes": {"classes": CLASSES},
        "classes object": {"classes": wandb.Classes(CLASSES)},
        "boxes": {"boxes": {"truth": boxes(class_labels=LABELS)}},
        "boxes without labels": {"boxes": {"truth": boxes()}},
        "two layers of boxes": {
            "boxes": {"a": boxes(class_labels=LABELS), "b": boxes(class_labels={1: "hound"})}
        },
        "boxes and classes": {"boxes": {"truth": boxes(class_labels=LABELS)}, "classes": CLASSES},
        "mask": {"masks": {"truth": mask(class_labels=LABELS)}},
        "mask without labels": {"masks": {"truth": mask()}},
        "mask of a file": {"masks": {"truth": {"path": "masks/m.png"}}, "classes": CLASSES},
        "mask of a file alone": {"masks": {"truth": {"path": "masks/m.png"}}},
        "all": {
            "boxes": {"b": boxes(class_labels={9: "z"})},
            "masks": {"m": mask(class_labels=LABELS), "n": mask()},
            "classes": CLASSES,
            "caption": "c",
        },
    }
    for label, layers in kinds.items():
        put(wandb, see, label, lambda layers=layers: wandb.Image(pixels(), **layers))
    helpers = wandb.data_types
    put(wandb, see, "box object", lambda: helpers.BoundingBoxes2D(boxes(), "k"))
    put(wandb, see, "mask object", lambda: helpers.ImageMask(mask(), "k"))
    return None


def behaviour_same_files(wandb: Any, see: Any) -> Any:
    image_file("pictures/one.png")
    image_file("other/one.png", shade=9)
    artifact = wandb.Artifact("n", "t")
    artifact.add_file("pictures/one.png", name="mine/1.png")
    artifact.add(wandb.Image("pictures/one.png", caption="added before"), "first")
    artifact.add(wandb.Image("other/one.png"), "second")
    artifact.add(wandb.Image("other/one.png"), "third")
    artifact.add(wandb.Image(pixels(), classes=CLASSES), "fourth")
    artifact.add(wandb.Image(pixels(), classes=CLASSES), "fifth")
    see("name", lambda: artifact.get_added_local_path_name("other/one.png"))
    see("contents", lambda: contents(artifact))
    image = wandb.Image(pixels())
    see("once", lambda: artifact.add(image, "a").path)
    see("and again", lambda: artifact.add(image, "b").path)
    see("another under its name", lambda: artifact.add(wandb.Image(photo()), "a").digest)
    see("all of it", lambda: contents(artifact))
    return None


def behaviour_sound_and_film(wandb: Any, see: Any) -> Any:
    write("deep/sound.wav", b"RIFF" + bytes(40))
    write("deep/film.mp4", b"film" + bytes(40))
    tone = np.sin(np.arange(800) / 20)
    film = photo()[None, :48, :64].transpose(0, 3, 1, 2).repeat(4, axis=0)
    kinds = {
        "audio path": lambda: wandb.Audio("deep/sound.wav", caption="c"),
        "audio floats": lambda: wandb.Audio(tone, sample_rate=8000),
        "audio stereo": lambda: wandb.Audio(np.stack([tone, -tone], 1), sample_rate=8000),
        "audio integers": lambda: wandb.Audio((tone * 1000).astype(np.int16), sample_rate=8000),
        "audio list": lambda: wandb.Audio([0.0, 0.5, -0.5], sample_rate=8000),
        "video path": lambda: wandb.Video("deep/film.mp4", caption="c"),
        "video bytes": lambda: wandb.Video(io.BytesIO(b"film"), format="webm"),
        "video gif": lambda: wandb.Video(film, fps=4, format="gif"),
        "video mp4": lambda: wandb.Video(film, fps=4, format="mp4"),
    }
    for label, make in kinds.items():
        put(wandb, see, label, make)
    return None


def behaviour_text_and_space(wandb: Any, see: Any) -> Any:
    write("page.html", "<p>file</p>\r\n")
    write("m.pdb", "ATOM\n")
    write("cube.obj", "v 0 0 0\n")
    write("cloud.pts.json", "[[1, 2, 3]]")
    points = np.array([[0.1, -2.5, 1e-7], [1e16, 3.0, 1 / 3]])
    scene = {"type": "lidar/beta", "points": points, "vectors": np.array([])}
    scene["boxes"] = np.array([{"corners": [[0, 0, 0]] * 8, "label": "ä", "color": [1, 2, 3]}])
    kinds = {
        "html": lambda: wandb.Html("<p>ä</p>", inject=False),
        "html with a head": lambda: wandb.Html("<html><p>x</p></html>"),
        "html path": lambda: wandb.Html("page.html", inject=False),
        "html file": lambda: wandb.Html(io.StringIO("<p>x</p>"), inject=False),
        "molecule path": lambda: wandb.Molecule("m.pdb", caption="c"),
        "molecule file": lambda: wandb.Molecule(io.StringIO("ATOM"), file_type="pqr"),
        "points": lambda: wandb.Object3D(points, caption="c"),
        "whole numbers": lambda: wandb.Object3D(np.arange(6).reshape(2, 3)),
        "points that are no numbers": lambda: wandb.Object3D(np.array([[np.nan, np.inf, 1.0]])),
        "scene": lambda: wandb.Object3D(scene),
        "cloud path": lambda: wandb.Object3D("cloud.pts.json"),
        "model path": lambda: wandb.Object3D("cube.obj"),
        "model file": lambda: wandb.Object3D(io.StringIO("v 0 0 0"), file_type="obj"),
        "plotly": lambda: wandb.Plotly(figure()),
        "partitioned": lambda: wandb.data_types.PartitionedTable("parts"),
    }
    for label, make in kinds.items():
        put(wandb, see, label, make)
    return None


def figure() -> Any:
    import plotly.graph_objects as graphs  # type: ignore[import-untyped]

    layout = {"title": "ä", "width": 300}
    return graphs.Figure(
        [graphs.Scatter(x=np.arange(4), y=[0.1, 1e-7, 1e16, 2], name="s")], layout=layout
    )


def behaviour_tables_of_media(wandb: Any, see: Any) -> Any:
    import matplotlib as mpl

    mpl.use("agg")
    image_file("pictures/one.png")
    write("deep/sound.wav", b"RIFF" + bytes(40))
    write("m.pdb", "ATOM\n")
    masks = {"m": mask(class_labels=LABELS)}
    layer = boxes(class_labels=LABELS)
    for box in layer["box_data"]:  # W&B writes the names of several in the order of a set
        box["scores"] = {"p": 0.5}
    layered = {"boxes": {"b": layer}, "masks": masks, "classes": CLASSES}
    classes = wandb.Classes(CLASSES)
    rows: dict[str, list[Any]] = {
        "images": [lambda: wandb.Image(pixels()), lambda: wandb.Image(pixels(1), caption="c")],
        "image paths": [lambda: wandb.Image("pictures/one.png"), lambda: None],
        "layers": [lambda: wandb.Image(pixels(), **layered), lambda: wandb.Image(pixels(2))],
        "audio": [lambda: wandb.Audio("deep/sound.wav"), lambda: wandb.Audio("deep/sound.wav")],
        "html": [lambda: wandb.Html("<p>x</p>", inject=False)],
        "molecules": [lambda: wandb.Molecule("m.pdb")],
        "points": [lambda: wandb.Object3D(np.arange(6.0).reshape(2, 3))],
        "figures": [lambda: wandb.Plotly(figure())],
        "lists of images": [lambda: [wandb.Image(pixels()), wandb.Image(pixels(5))]],
    }
    for label, makers in rows.items():
        put(
            wandb,
            see,
            label,
            lambda makers=makers: wandb.Table(["n", "v"], [[i, m()] for i, m in enumerate(makers)]),
        )
    put(
        wandb,
        see,
        "ids of classes",
        lambda: wandb.Table(["c"], [[0], [7]], dtype=[classes.get_type()]),
    )
    return None


def behaviour_digest_of_a_whole_artifact(wandb: Any, see: Any) -> Any:
    """Everything at once: one digest says that all names and all contents are the same."""
    image_file("pictures/one.png")
    write("deep/film.mp4", b"film" + bytes(40))
    artifact = wandb.Artifact("n", "t")
    artifact.add_file("deep/film.mp4", name="raw/film.mp4")
    table = wandb.Table(["i"], [[wandb.Image(photo(), masks={"m": mask(class_labels=LABELS)})]])
    artifact.add(table, "predictions")
    artifact.add(wandb.Image("pictures/one.png"), "samples/first")
    artifact.add(wandb.Video("deep/film.mp4"), "samples/film")
    artifact.add(wandb.Audio([0.0, 0.5], sample_rate=8000), "samples/sound")
    see("digest", lambda: artifact.digest)
    see("hex", lambda: base64.b64decode(artifact.manifest.entries["raw/film.mp4"].digest).hex())
    return None
