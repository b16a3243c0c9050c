"""Media on both packages: what is kept of each, and what is refused.

Files are compared by what is in them, because the encoders differ; their digests, sizes and names
are held against the files themselves.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PILImage, ImageSequence

warnings.simplefilter("ignore")  # what wandb calls of PIL and plotly is older than they are
__warningregistry__: dict[Any, Any] = {}  # made by the first warning, while the driver iterates


def normal(run: Any, value: Any) -> Any:
    """Return what is kept of a value, with the content of its files in place of their digests."""
    if isinstance(value, list):
        return [normal(run, item) for item in value]
    if not hasattr(value, "keys"):
        return name_and_content(run, value) if is_file(value) else value
    fields = {key: normal(run, value[key]) for key in value.keys()}  # noqa: SIM118
    if "sha256" in fields and is_file(value["path"]):
        content = (Path(run.dir) / value["path"]).read_bytes()
        fields["sha256"] = hashlib.sha256(content).hexdigest() == value["sha256"]
        fields["size"] = len(content) == value["size"]
    return fields


def is_file(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("media/", "many_"))


def name_and_content(run: Any, path: str) -> Any:
    place = Path(run.dir) / path
    if not place.exists():
        place = Path(run.dir) / "media" / "object3D" / path
    content = place.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:20]
    return [path.replace(digest, "<digest>"), decoded(place.name, content)]


def decoded(name: str, content: bytes) -> Any:
    if name.endswith((".png", ".jpg", ".bmp", ".gif")):
        image = PILImage.open(io.BytesIO(content))
        frames = [np.array(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]
        joined = b"".join(frame.tobytes() for frame in frames)
        mode = image.mode if name.endswith(".png") else ""
        return [mode, list(frames[0].shape), len(frames), hashlib.sha256(joined).hexdigest()]
    if name.endswith(".json"):
        return numbers_alike(json.loads(content))
    return hashlib.sha256(content).hexdigest()


def numbers_alike(value: Any) -> Any:
    """Return JSON with NaN as None, as a browser needs it."""
    if isinstance(value, list):
        return [numbers_alike(item) for item in value]
    if isinstance(value, dict):
        return {key: numbers_alike(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Logged:
    """Logs values one after the other, and says what is kept of each."""

    def __init__(self, wandb: Any, seen: Any) -> None:
        self.wandb = wandb
        self.seen = seen
        self.run = wandb.init(project="p")
        self.step = -1

    def __call__(self, key: str, make: Callable[[], Any]) -> None:
        self.step += 1

        def look() -> Any:
            self.run.log({key: make()}, step=self.step, commit=True)
            return normal(self.run, self.run.summary[key])

        self.seen(key, look)


def pixels(*shape: int) -> Any:
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


def behaviour_images(wandb: Any, seen: Any) -> None:
    kept = Logged(wandb, seen)
    PILImage.fromarray(pixels(5, 7, 3)).save("photo.png")
    PILImage.fromarray(pixels(5, 7, 3)).save("photo.jpg")
    image = wandb.Image

    kept("grey", lambda: image(pixels(6, 9)))
    kept("one", lambda: image(pixels(6, 9, 1)))
    kept("rgb", lambda: image(pixels(6, 9, 3)))
    kept("rgba", lambda: image(pixels(6, 9, 4)))
    kept("batch_of_one", lambda: image(pixels(1, 6, 9, 3)))
    kept("integers", lambda: image(pixels(6, 9, 3).astype(np.int64)))
    kept("whole_floats", lambda: image(pixels(6, 9, 3).astype(np.float32)))
    kept("unit_floats", lambda: image(pixels(6, 9, 3) / 255.0))
    kept("signed_floats", lambda: image(pixels(6, 9, 3) / 127.5 - 1))
    kept("booleans", lambda: image(pixels(6, 9) > 100))
    kept("mode", lambda: image(pixels(6, 9, 3), mode="L"))
    kept("jpg", lambda: image(pixels(6, 9, 3), file_type="jpg"))
    kept("jpg_alpha", lambda: image(pixels(6, 9, 4), file_type="jpg"))
    kept("bmp", lambda: image(pixels(6, 9, 3), file_type="bmp"))
    kept("png_file", lambda: image("photo.png", caption="a photo"))
    kept("jpg_file", lambda: image(Path("photo.jpg"), grouping=3))
    kept("pil", lambda: image(PILImage.fromarray(pixels(6, 9, 3))))
    kept("pil_palette", lambda: image(PILImage.fromarray(pixels(6, 9, 3)).quantize(16)))
    kept("again", lambda: image(image(pixels(6, 9, 3), caption="first"), grouping=2))
    kept("a key/with slash", lambda: image(pixels(6, 9, 3)))
    kept("../up", lambda: image(pixels(6, 9, 3)))
    kept("many_captions", lambda: [image(pixels(4, 4, 3), caption=f"{n}") for n in range(3)])
    kept("many_one_caption", lambda: [image(pixels(4, 4)), image(pixels(4, 4), caption="b")])
    kept("many_in_tuple", lambda: (image(pixels(4, 4)), image(pixels(5, 4))))
    kept("many_too_many", lambda: [image(pixels(2, 2, 3)) for _ in range(110)])
    kept("nested", lambda: {"inner": image(pixels(4, 4, 3))})
    kept("empty", list)
    kept("pil_bare", lambda: PILImage.fromarray(pixels(6, 9, 3)))
    kept("elsewhere", lambda: image("https://example.com/cat.png"))

    seen("summary", lambda: kept.run.summary.update({"best": image(pixels(4, 4, 3), caption="c")}))
    seen("summary value", lambda: normal(kept.run, kept.run.summary["best"]))
    seen("equal", lambda: image(pixels(4, 4, 3)) == image(pixels(4, 4, 3)))
    seen("unequal", lambda: image(pixels(4, 4, 3)) == image(pixels(4, 5, 3)))
    seen("data array", lambda: image(pixels(2, 2, 3)).to_data_array())
    seen("subdir", image.get_media_subdir)


def behaviour_tensors(wandb: Any, seen: Any) -> None:
    import torch

    kept = Logged(wandb, seen)
    chw = torch.from_numpy(pixels(3, 6, 9).copy())

    kept("bytes", lambda: wandb.Image(chw))
    kept("floats", lambda: wandb.Image(chw.float()))
    kept("one_channel", lambda: wandb.Image(chw[:1]))
    kept("four_channels", lambda: wandb.Image(torch.cat([chw, chw[:1]])))
    kept("requires_grad", lambda: wandb.Image(chw.float().requires_grad_()))
    seen("five channels", lambda: wandb.Image(torch.zeros(5, 4, 4)))


def boxes(**changes: Any) -> dict[str, Any]:
    corners = {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4}
    box = {"position": corners, "class_id": 1, "scores": {"sure": 0.5}, "box_caption": "a"}
    return {"box_data": [{**box, **changes}], "class_labels": {1: "car", 2: "road"}}


def behaviour_layers(wandb: Any, seen: Any) -> None:
    kept = Logged(wandb, seen)
    middle = {"position": {"middle": [3, 4], "width": 2, "height": 2}, "domain": "pixel"}
    mask = pixels(6, 9)
    PILImage.fromarray(mask).save("mask.png")

    def image(**layers: Any) -> Any:
        return wandb.Image(pixels(6, 9, 3), **layers)

    kept("corners", lambda: image(boxes={"truth": boxes(), "guess": boxes(class_id=2)}))
    kept("middle", lambda: image(boxes={"truth": {"box_data": [{**middle, "class_id": 5}]}}))
    kept("no_boxes", lambda: image(boxes={"truth": {"box_data": []}}))
    kept("mask", lambda: image(masks={"m": {"mask_data": mask, "class_labels": {1: "car"}}}))
    kept("mask_unnamed", lambda: image(masks={"m": {"mask_data": mask.astype(np.int64)}}))
    kept("mask_file", lambda: image(masks={"m": {"path": "mask.png"}}))
    kept("classes", lambda: image(classes=[{"id": 1, "name": "car"}]))
    kept("both", lambda: image(boxes={"b": boxes()}, masks={"m": {"mask_data": mask}}))
    kept("many_layers", lambda: [image(boxes={"b": boxes()}), image()])
    kept("many_masks", lambda: [image(), image(masks={"m": {"mask_data": mask}})])

    named = {"box_data": [], "class_labels": {1: "car", 2: "road"}}
    ids = {"mask_data": np.array([[0, 1], [3, 3]], dtype=np.uint8)}
    lettered = {**ids, "class_labels": {3: "sky", 1: "lorry"}}
    listed = [{"id": 1, "name": "z", "color": 3}, {"id": 9, "name": "n"}, {"id": 1, "name": "y"}]

    def classes(label: str, make: Callable[[], Any]) -> None:
        def look() -> Any:
            found = make()._classes
            return found and [found._class_set, found == wandb.Classes(found._class_set)]

        seen(f"classes of {label}", look)

    classes("boxes", lambda: image(boxes={"a": named, "b": boxes(class_id=2)}))
    classes("boxes unnamed", lambda: image(boxes={"a": {"box_data": [{**middle, "class_id": 5}]}}))
    classes("a mask", lambda: image(masks={"a": lettered}))
    classes("a mask unnamed", lambda: image(masks={"a": dict(ids)}))
    classes("a mask in a file", lambda: image(masks={"a": {"path": "mask.png"}}))
    classes("a list", lambda: image(classes=listed))
    classes("an empty list", lambda: image(classes=[]))
    classes("all of them", lambda: image(boxes={"a": named}, masks={"b": lettered}, classes=listed))
    classes("an image", lambda: wandb.Image(image(boxes={"a": named})))
    classes("an image and boxes", lambda: wandb.Image(image(classes=listed), boxes={"a": named}))
    classes("an image and a list", lambda: wandb.Image(image(boxes={"a": named}), classes=listed))
    classes("an image and nothing", lambda: wandb.Image(image(masks={"a": lettered}), classes=[]))

    def refused(label: str, **layers: Any) -> None:
        seen(label, lambda: image(**layers))

    refused("no position", boxes={"b": {"box_data": [{"class_id": 1}]}})
    refused("half a position", boxes={"b": boxes(position={"minX": 1, "maxX": 2})})
    refused("text position", boxes={"b": boxes(position={"middle": [1, 2], "width": "w"})})
    refused("text class", boxes={"b": boxes(class_id="one")})
    refused("scores", boxes={"b": boxes(scores=[1])})
    refused("score", boxes={"b": boxes(scores={"a": "b"})})
    refused("score name", boxes={"b": boxes(scores={1: 2})})
    refused("box caption", boxes={"b": boxes(box_caption=1)})
    refused("boxes no list", boxes={"b": {"box_data": {}}})
    refused("boxes missing", boxes={"b": {}})
    refused("boxes no dict", boxes=[boxes()])
    refused("labels", boxes={"b": {**boxes(), "class_labels": {"a": "b"}}})
    refused("label names", masks={"m": {"mask_data": mask, "class_labels": {1: 2}}})
    refused("mask missing", masks={"m": {"class_labels": {1: "a"}}})
    refused("mask of three dimensions", masks={"m": {"mask_data": pixels(3, 3, 3)}})
    refused("mask beyond 255", masks={"m": {"mask_data": np.full((3, 3), 256)}})
    refused("mask below 0", masks={"m": {"mask_data": np.full((3, 3), -1)}})
    refused("mask file missing", masks={"m": {"path": "nowhere.png"}})
    refused("masks no dict", masks=[{"mask_data": mask}])
    refused("class without name", classes=[{"id": 1}])


def behaviour_other_kinds(wandb: Any, seen: Any) -> None:
    kept = Logged(wandb, seen)
    frames = pixels(4, 3, 16, 16)
    tone = np.sin(np.arange(400) / 10)
    Path("page.html").write_text("<html><body>page</body></html>")
    Path("model.obj").write_text("v 0 0 0\n")
    Path("cell.pdb").write_text("ATOM\n")
    Path("tone.wav").write_bytes(b"RIFF of a kind")
    Path("film.mp4").write_bytes(b"film of a kind")
    boxes = [{"corners": [[0, 0, 0]] * 8, "label": "b", "color": [1, 2, 3]}]

    kept("gif", lambda: wandb.Video(frames, format="gif", fps=8, caption="gif"))
    kept("gifs", lambda: wandb.Video(pixels(3, 4, 3, 8, 8), format="gif"))
    kept("film", lambda: wandb.Video("film.mp4", caption="film"))
    kept("film_bytes", lambda: wandb.Video(io.BytesIO(b"bytes"), format="webm"))
    kept("many_films", lambda: [wandb.Video("film.mp4", caption="a"), wandb.Video("film.mp4")])
    kept("tone", lambda: wandb.Audio(tone, sample_rate=8000, caption="tone"))
    kept("tone_32", lambda: wandb.Audio(tone.astype(np.float32), sample_rate=8000))
    kept("tone_list", lambda: wandb.Audio([0.0, 0.5, -0.5], sample_rate=8000))
    kept("tone_stereo", lambda: wandb.Audio(np.stack([tone, -tone], 1), sample_rate=8000))
    kept("tone_int16", lambda: wandb.Audio((tone * 9000).astype(np.int16), sample_rate=8000))
    kept("tone_file", lambda: wandb.Audio("tone.wav"))
    kept(
        "many_tones",
        lambda: [wandb.Audio(tone, sample_rate=8000), wandb.Audio("tone.wav", caption="b")],
    )
    kept("html_raw", lambda: wandb.Html("<h1>Tä</h1>", inject=False))
    kept("html_head", lambda: wandb.Html("<html><head></head></html>"))
    kept("html_file", lambda: wandb.Html("page.html", inject=False))
    kept("html_open", lambda: wandb.Html(io.StringIO("<p>"), inject=False))
    kept("html_no_path", lambda: wandb.Html("page.html", inject=False, data_is_not_path=True))
    kept("many_pages", lambda: [wandb.Html("a", inject=False), wandb.Html("b", inject=False)])
    kept("points_3", lambda: wandb.Object3D(np.arange(12.0).reshape(4, 3), caption="c"))
    kept("points_4", lambda: wandb.Object3D(np.arange(12.0).reshape(3, 4)))
    kept("points_6", lambda: wandb.Object3D.from_numpy(np.arange(12).reshape(2, 6)))
    kept("scene", lambda: wandb.Object3D.from_point_cloud([[1, 2, 3]], boxes))
    kept("model", lambda: wandb.Object3D("model.obj"))
    kept("model_open", lambda: wandb.Object3D(io.StringIO("v 0"), file_type="stl"))
    kept("model_named", lambda: wandb.Object3D.from_file(open("model.obj")))  # noqa: SIM115
    kept("many_scenes", lambda: [wandb.Object3D(np.zeros((1, 3))), wandb.Object3D("model.obj")])
    kept("cell", lambda: wandb.Molecule("cell.pdb", caption="cell"))
    kept("cell_open", lambda: wandb.Molecule(io.StringIO("ATOM"), file_type="sdf"))
    kept("many_cells", lambda: [wandb.Molecule("cell.pdb"), wandb.Molecule("cell.pdb")])
    kept("mixed", lambda: [wandb.Html("a", inject=False), wandb.Image(pixels(3, 3))])
    kept("histograms", lambda: [wandb.Histogram([1, 2, 3], num_bins=2)])

    def box(orientation: list[float]) -> Any:
        made = wandb.box3d(
            center=[1, 2, 3], size=[2, 4, 6], orientation=orientation, color=(1, 0, 0), score=0.5
        )
        return {**made, "corners": np.round(made["corners"], 6).tolist()}

    seen("box", lambda: box([1, 0, 0, 0]))
    seen("turned box", lambda: box([0.5, 0.1, 0.2, 0.7]))
    seen("box turned the other way", lambda: box([0.5, -0.1, 0.2, -0.7]))


def behaviour_figures(wandb: Any, seen: Any) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    go: Any = import_module("plotly.graph_objects")

    kept = Logged(wandb, seen)
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3], [4, 5, 6])
    pictured, picture_axes = plt.subplots()
    picture_axes.imshow(pixels(4, 4))
    interactive = go.Figure(go.Scatter(y=np.array([1.0, np.nan, 3.0]), name="line"))

    kept("interactive", lambda: interactive)
    kept("plotly", lambda: wandb.Plotly(interactive))
    kept("matplotlib", lambda: figure)
    kept("axes", lambda: axes)
    kept("with_images", lambda: pictured)
    kept("as_image", lambda: wandb.Image(figure))
    kept("as_plotly", lambda: wandb.Plotly(figure))
    kept("many_figures", lambda: [wandb.Plotly(interactive), wandb.Plotly(figure)])
    plt.figure()
    plt.bar(["a", "b"], [1, 2])
    kept("pyplot", lambda: plt)
    kept("empty figure", lambda: plt.figure())
    seen("images as plotly", lambda: wandb.Plotly(pictured))
    seen("text as plotly", lambda: wandb.Plotly("plot"))


def behaviour_graph(wandb: Any, seen: Any) -> None:
    kept = Logged(wandb, seen)
    graph = wandb.Graph()
    first = graph.add_node(id="in", name="Linear", size=(3, 4), num_parameters=12)
    graph.add_edge(first, graph.add_node(id="out", class_name="ReLU"))

    kept("graph", lambda: graph)
    seen("node", lambda: graph["out"].class_name)
    seen("node json", lambda: first.to_json())
    seen("edge", lambda: graph.edges[0].to_json())
    seen("both", lambda: graph.add_node(first, id="x"))


def behaviour_refusals(wandb: Any, seen: Any) -> None:
    Path("text.png").write_text("no image")
    Path("notes.txt").write_text("notes")
    refused: dict[str, Callable[[], Any]] = {
        "image of two channels": lambda: wandb.Image(pixels(4, 4, 2)),
        "image of five dimensions": lambda: wandb.Image(pixels(2, 2, 2, 4, 4)),
        "image of text": lambda: wandb.Image("text.png"),
        "image missing": lambda: wandb.Image("nowhere.png"),
        "image of a folder": lambda: wandb.Image(os.curdir),
        "image type": lambda: wandb.Image(pixels(4, 4), file_type="tiff"),
        "image mode": lambda: wandb.Image(pixels(4, 4), mode="XYZ"),
        "image of None": lambda: wandb.Image(None),
        "image of a list": lambda: wandb.Image([[1, 2], [3, 4]]),
        "video without format": lambda: wandb.Video(pixels(4, 3, 8, 8)),
        "video format": lambda: wandb.Video(pixels(4, 3, 8, 8), format="avi"),
        "video of three dimensions": lambda: wandb.Video(pixels(3, 8, 8), format="gif"),
        "video of a list": lambda: wandb.Video([1, 2], format="gif"),
        "video file": lambda: wandb.Video("notes.txt"),
        "video missing": lambda: wandb.Video("nowhere.mp4"),
        "video bytes": lambda: wandb.Video(io.BytesIO(b"x")),
        "audio without rate": lambda: wandb.Audio(np.zeros(4)),
        "audio missing": lambda: wandb.Audio("nowhere.wav"),
        "audio of text": lambda: wandb.Audio(["a"], sample_rate=8000),
        "audio of int64": lambda: wandb.Audio([1, 2, 3], sample_rate=8000),
        "html of a number": lambda: wandb.Html(7),
        "points of two columns": lambda: wandb.Object3D(np.zeros((4, 2))),
        "points of one dimension": lambda: wandb.Object3D(np.zeros(4)),
        "points as a list": lambda: wandb.Object3D([[1, 2, 3]]),
        "points from a list": lambda: wandb.Object3D.from_numpy([[1, 2, 3]]),
        "scene type": lambda: wandb.Object3D({"type": "other"}),
        "scene without type": lambda: wandb.Object3D({"points": 1}),
        "cloud type": lambda: wandb.Object3D.from_point_cloud([], [], point_cloud_type="x"),
        "model file": lambda: wandb.Object3D("notes.txt"),
        "model missing": lambda: wandb.Object3D("nowhere.obj"),
        "model open": lambda: wandb.Object3D(io.StringIO("v")),
        "model open type": lambda: wandb.Object3D(io.StringIO("v"), file_type="x"),
        "molecule file": lambda: wandb.Molecule("notes.txt"),
        "molecule missing": lambda: wandb.Molecule("nowhere.pdb"),
        "molecule open": lambda: wandb.Molecule(io.StringIO("A")),
        "molecule of a number": lambda: wandb.Molecule(7),
        "bins": lambda: wandb.Histogram([1], num_bins=513),
        "box center": lambda: wandb.box3d(
            center=[1], size=[1, 1, 1], orientation=[1, 0, 0, 0], color=(0, 0, 0)
        ),
        "box orientation": lambda: wandb.box3d(
            center=[1, 1, 1], size=[1, 1, 1], orientation=[0, 0, 0, 0], color=(0, 0, 0)
        ),
    }
    for label, make in refused.items():
        seen(label, make)
