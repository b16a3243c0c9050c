"""Every kind of media reads back from the store as what was logged, by three ways."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image as PILImage, ImageSequence

import quark.compat.wandb as wandb
from quark import ArtifactStore
from quark.compat.wandb.data_types import BoundingBoxes2D, ImageMask
from quark.compat.wandb.errors import CommError


def noise(*shape: int) -> Any:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


PIXELS = noise(9, 12, 3)
MASK = noise(9, 12) % 4
FRAMES = noise(5, 3, 16, 16)  # no more than 256 colours each, so a gif is exact
TONE = (np.sin(np.arange(300) / 7) * 20_000).astype(np.int16)
POINTS = np.random.default_rng(1).standard_normal((20, 6))
BOX: dict[str, Any] = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.9}}


def layered() -> wandb.Image:
    return wandb.Image(
        PIXELS,
        caption="layers",
        grouping=2,
        boxes={"truth": {"box_data": [{**BOX, "class_id": 1}], "class_labels": {1: "car"}}},
        masks={"guess": {"mask_data": MASK, "class_labels": {0: "road", 3: "sky"}}},
        classes=[{"id": 1, "name": "car"}],
    )


def is_layered(image: Any) -> None:
    assert_same(image.image, PIXELS)
    assert (image._caption, image._grouping) == ("layers", 2)
    boxes, mask = image._boxes["truth"], image._masks["guess"]
    assert isinstance(boxes, BoundingBoxes2D)
    assert isinstance(mask, ImageMask)
    assert (boxes._val, boxes._class_labels) == ([{**BOX, "class_id": 1}], {1: "car"})
    assert mask.class_labels == {0: "road", 3: "sky"}
    assert_same(mask.pixels(), MASK)
    assert image._classes is not None
    assert image._classes.labels() == {1: "car", 0: "road", 3: "sky"}


def frames_of(video: Any) -> Any:
    with PILImage.open(io.BytesIO(video.read_bytes())) as gif:
        return np.stack([np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)])


def a_graph() -> wandb.Graph:
    graph = wandb.Graph()
    graph.add_edge(graph.add_node(id="in", name="Linear"), graph.add_node(id="out"))
    return graph


def a_figure() -> Any:
    go: Any = import_module("plotly.graph_objects")
    return go.Figure(go.Scatter(y=[1, None, 3], name="line"))


def downloaded(api_run: Any, path: str, root: str) -> bytes:
    with api_run.file(path).download(root) as file:
        return Path(file.name).read_bytes()


def assert_same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


class Kind(NamedTuple):
    make: Callable[[], Any]
    check: Callable[[Any], None]
    native: str


KINDS: dict[str, Kind] = {
    "image": Kind(
        lambda: wandb.Image(PIXELS), lambda image: assert_same(image.image, PIXELS), "images"
    ),
    "layers": Kind(layered, is_layered, "images"),
    "images": Kind(
        lambda: [layered(), wandb.Image(PIXELS[:4])],
        lambda images: are_listed(images),
        "images",
    ),
    "video": Kind(
        lambda: wandb.Video(FRAMES, format="gif", fps=5, caption="gif"),
        lambda video: assert_same(frames_of(video), FRAMES.transpose(0, 2, 3, 1)),
        "videos",
    ),
    "videos": Kind(
        lambda: [wandb.Video(io.BytesIO(b"film"), format="mp4")],
        lambda videos: assert_equal(videos[0].read_bytes(), b"film"),
        "videos",
    ),
    "audio": Kind(
        lambda: wandb.Audio(TONE, sample_rate=8000, caption="tone"),
        lambda audio: assert_same((audio.samples()[0] * 2**15).round(), TONE),
        "audio",
    ),
    "audios": Kind(
        lambda: [wandb.Audio(TONE, sample_rate=8000), wandb.Audio(TONE[:9], sample_rate=4000)],
        lambda audios: assert_equal([each.samples()[1] for each in audios], [8000, 4000]),
        "audio",
    ),
    "html": Kind(
        lambda: wandb.Html("<p>Grüße</p>", inject=False),
        lambda html: assert_equal(html.html, "<p>Grüße</p>"),
        "html",
    ),
    "plotly": Kind(
        a_figure, lambda plot: assert_equal(plot.figure["data"][0]["y"], [1, None, 3]), "plotly"
    ),
    "cloud": Kind(
        lambda: wandb.Object3D(POINTS),
        lambda cloud: assert_same(cloud.points(), POINTS),
        "object3D",
    ),
    "clouds": Kind(
        lambda: [wandb.Object3D(POINTS), wandb.Object3D(POINTS[:2, :3])],
        lambda clouds: assert_same(clouds[1].points(), POINTS[:2, :3]),
        "object3D",
    ),
    "scene": Kind(
        lambda: wandb.Object3D.from_point_cloud(POINTS[:, :3], [{"corners": POINTS[:8, :3]}]),
        lambda scene: assert_same(scene.points()["boxes"][0]["corners"], POINTS[:8, :3]),
        "object3D",
    ),
    "molecule": Kind(
        lambda: wandb.Molecule(io.StringIO("ATOM"), file_type="pdb"),
        lambda molecule: assert_equal(molecule.read_bytes(), b"ATOM"),
        "molecule",
    ),
    "graph": Kind(
        a_graph,
        lambda graph: assert_equal([edge.to_json() for edge in graph.edges], [["in", "out"]]),
        "graph",
    ),
    "mixed": Kind(
        lambda: [wandb.Html("a", inject=False), wandb.Image(PIXELS), 7],
        lambda mixed: assert_equal((mixed[0].html, mixed[1].width, mixed[2]), ("a", 12, 7)),
        "html",
    ),
}


def are_listed(images: Any) -> None:
    images[0]._grouping = 2  # which W&B keeps for single images alone
    is_layered(images[0])
    assert_same(images[1].image, PIXELS[:4])


def assert_equal(found: Any, expected: Any) -> None:
    assert found == expected


def test_every_kind_reads_back(tmp_path: Path) -> None:
    run = wandb.init(project="p")
    for key, kind in KINDS.items():
        run.log({key: kind.make()}, commit=False)
    run.summary["best"] = wandb.Image(PIXELS, caption="best")
    run.summary["group"] = {"number": 1, "page": wandb.Html("in a dict", inject=False)}
    run.finish()

    api_run = wandb.Api().run(f"p/{run.id}")
    (row,) = api_run.scan_history()
    for key, kind in KINDS.items():
        kind.check(api_run.media(row[key]))
        kind.check(api_run.media(api_run.summary[key]))
    assert_same(api_run.media(api_run.summary["best"]).image, PIXELS)
    assert api_run.media(api_run.summary["group"])["page"].html == "in a dict"

    files = {file.name: file for file in api_run.files()}
    assert row["image"]["path"] in files
    assert (files[row["image"]["path"]].size, row["image"]["_type"]) == (
        row["image"]["size"],
        "image-file",
    )
    before = downloaded(api_run, row["video"]["path"], "here")
    for path in (tmp_path / ".quark" / "runs" / run.id / "files" / "media").rglob("*.*"):
        path.unlink()

    KINDS["layers"].check(api_run.media(row["layers"]))
    KINDS["images"].check(api_run.media(row["images"]))
    assert {file.name for file in api_run.files()} == set(files)
    assert downloaded(api_run, row["video"]["path"], "there") == before
    with pytest.raises(CommError, match="no file"):
        api_run.file("media/images/none.png")


def test_media_are_records_of_their_own_natively() -> None:
    run = wandb.init(project="p")
    run.log({"a key/of mine": wandb.Image(PIXELS)}, step=4)
    run.log({key: kind.make() for key, kind in KINDS.items()}, step=5)
    session = run._session
    assert not isinstance(session, type(None))

    with ArtifactStore(session) as artifacts:  # type: ignore[arg-type]
        (image,) = artifacts.read(artifact_type="images", step=4)
        with PILImage.open(io.BytesIO(artifacts.load(image))) as decoded:
            assert_same(decoded, PIXELS)
        assert image.metadata["key"] == "a key/of mine"
        assert (image.artifact_key, image.artifact_name) == ("a_key/of_mine", "of_mine")
        for key, kind in KINDS.items():
            found = artifacts.read(artifact_type=kind.native, step=5)
            assert key in {record.metadata["key"] for record in found}
        (html, *_) = artifacts.read(artifact_type="html", step=5)
        assert artifacts.load(html) == "<p>Grüße</p>"
    run.finish()


def test_what_is_no_media_is_read_back_as_it_is() -> None:
    run = wandb.init(project="p")
    run.log({"h": wandb.Histogram([1, 2, 2]), "x": 1, "hs": [wandb.Histogram([1, 2])]})
    run.finish()

    api_run = wandb.Api().run(f"p/{run.id}")
    (row,) = api_run.scan_history()

    assert api_run.media(row["h"]).histogram == wandb.Histogram([1, 2, 2]).histogram
    assert isinstance(api_run.media(row)["hs"][0], wandb.Histogram)
    assert api_run.media({"x": [1, "a", None]}) == {"x": [1, "a", None]}
    with pytest.raises(CommError, match="cannot be read back"):
        api_run.media({"_type": "no-such-type"})
    with pytest.raises(CommError, match="missing"):
        api_run.media({"_type": "html-file", "path": "media/html/gone.html"})
