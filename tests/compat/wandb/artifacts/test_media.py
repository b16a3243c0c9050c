"""Media come back from artifacts as they went in, and are kept once."""

from __future__ import annotations

import gc
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

import quark.compat.wandb as wandb
from quark.catalog.garbage import find_garbage
from quark.catalog.staging import staged_since_us
from quark.clock import SYSTEM_CLOCK
from quark.storage.embedded import EmbeddedStore
from tests.compat.wandb.artifacts.behaviours_media import CLASSES, LABELS, boxes, mask, photo
from tests.support.clock import FakeClock


def through_an_artifact(*values: Any) -> list[Any]:
    """Log an artifact with the values and return what it holds."""
    with wandb.init(project="p") as run:
        artifact = wandb.Artifact("media", "dataset")
        for number, value in enumerate(values):
            artifact.add(value, f"folder/{number}")
        run.log_artifact(artifact).wait()
    found = wandb.Api().artifact("p/media:latest")
    return [found.get(f"folder/{number}") for number in range(len(values))]


def test_images_come_back_with_their_layers_and_the_names_of_classes() -> None:
    layers = {"truth": boxes(class_labels={1: "hound"}), "guess": boxes()}
    image = wandb.Image(
        photo(5, 4),
        caption="c",
        grouping=2,
        boxes=layers,
        masks={"truth": mask(class_labels=LABELS), "guess": mask()},
        classes=CLASSES,
    )
    table = wandb.Table(columns=["image"], data=[[image], [None]])

    alone, in_table = through_an_artifact(image, table)

    for back in (alone, in_table.data[0][0]):
        assert back == image
        assert back._classes == image._classes
        assert np.array_equal(np.array(back.image), photo(5, 4))
        assert {key: layer._val for key, layer in back._boxes.items()} == {
            key: layer._val for key, layer in image._boxes.items()
        }
        assert back._boxes["truth"]._class_labels == {1: "dog", 3: "class_3"}
        assert np.array_equal(back._masks["guess"].pixels(), mask()["mask_data"])
        assert back._masks["truth"].class_labels[0] == "cat"
    assert in_table.data[1] == [None]


def test_other_objects_come_back_by_their_own_names() -> None:
    Path("clips").mkdir()
    Path("clips/film.mp4").write_bytes(b"film")
    layer = wandb.data_types.BoundingBoxes2D(boxes(), "k")
    layer_of_pixels = wandb.data_types.ImageMask(mask(), "k")
    column = wandb.Table(columns=["c"], data=[[7]], dtype=[wandb.Classes(CLASSES).get_type()])
    url = "s3://bucket/key/photo.png"
    values = (
        *(layer, layer_of_pixels, wandb.Video("clips/film.mp4", caption="c")),
        *(wandb.Html("<p>x</p>", inject=False), wandb.Object3D(np.ones((2, 3))), column),
        wandb.Image(url, caption="elsewhere"),
    )

    back = through_an_artifact(*values)

    assert back[0]._val == layer._val
    assert back[1].pixels().tolist() == mask()["mask_data"].tolist()
    assert (back[2].read_bytes(), back[2]._caption, back[2]._format) == (b"film", "c", "mp4")
    assert [found == value for found, value in zip(back[2:6], values[2:6], strict=True)] == [
        True
    ] * 4
    assert (back[6]._content.url, back[6]._caption, back[6].image) == (url, "elsewhere", None)
    entries = wandb.Api().artifact("p/media:latest").manifest.entries
    digest = sha256(b"film").hexdigest()[:20]
    assert f"media/videos/{digest}/film.mp4" in entries
    assert entries[f"media/images/{sha256(url.encode()).hexdigest()[:20]}/photo.png"].ref == url


def test_a_file_of_the_script_is_not_taken_for_one_that_was_encoded_here() -> None:
    """What was encoded here is encoded again as W&B does it; a file is kept byte for byte."""
    PIL.Image.fromarray(photo()).save("mine.png", compress_level=0, optimize=False)
    content = Path("mine.png").read_bytes()
    of_file, of_pixels = wandb.Image("mine.png"), wandb.Image(photo())
    drawn = of_pixels.read_bytes()

    first, second, again = through_an_artifact(of_file, of_pixels, wandb.Image(of_pixels))
    from_first, from_second = through_an_artifact(
        wandb.Image(first, caption="a"), wandb.Image(second, caption="b")
    )

    assert first.read_bytes() == from_first.read_bytes() == content
    assert second.read_bytes() == again.read_bytes() == from_second.read_bytes()
    assert np.array_equal(np.array(second.image), photo())
    assert of_pixels.read_bytes() == drawn
    entries = wandb.Api().artifact("p/media:v0").manifest.entries
    assert f"media/images/{md5(second.read_bytes()).hexdigest()[:20]}.png" in entries


def test_the_artifact_of_a_logged_table_shares_the_files_of_the_run(tmp_path: Path) -> None:
    with wandb.init(project="p", id="r", dir=str(tmp_path)) as run:
        table = wandb.Table(columns=["n", "image"])
        for number in range(3):
            table.add_data(number, wandb.Image(photo() + np.uint8(number)))
        run.log({"table": table})

    artifact = wandb.Api().artifact("p/run-r-table:latest")
    files = list((tmp_path / ".quark/runs/r/files/media").rglob("*.png"))
    of_run = {sha256(path.read_bytes()).hexdigest() for path in files}
    entries = artifact.manifest.entries.values()
    assert {entry.sha256 for entry in entries if entry.path.endswith(".png")} == of_run
    assert len(of_run) == 3
    back = artifact.get("table")
    assert back.get_column("n") == [0, 1, 2]
    assert np.array_equal(np.array(back.data[2][1].image), photo() + np.uint8(2))


def test_what_was_added_and_is_not_logged_yet_is_no_garbage(tmp_path: Path) -> None:
    root = tmp_path / ".quark"
    clock = FakeClock(SYSTEM_CLOCK.time_us() + 72 * 3600 * 1_000_000)
    with wandb.init(project="p", dir=str(tmp_path)) as run:
        kept, dropped = wandb.Artifact("kept", "t"), wandb.Artifact("dropped", "t")
        kept.add(wandb.Html("kept", inject=False), "page")
        dropped.add(wandb.Html("dropped", inject=False), "page")
        store = EmbeddedStore(root)
        assert find_garbage(store, clock=clock).payloads == {}
        run.log_artifact(kept).wait()
        assert staged_since_us(root) is not None, "the other one is still there"

        del dropped
        gc.collect()  # what was added and where it was added know each other

        assert staged_since_us(root) is None
        gone = find_garbage(store, clock=clock).payloads
    assert len(gone) == 2, "the page and its JSON"
    assert sha256(b"dropped").hexdigest() in gone
    assert kept.get("page").html == "kept"
    store.close()
