"""Whatever an image is made of, its pixels are those that a slower look at each number gives."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as PILImage

import quark.compat.wandb as wandb
from quark.compat.wandb.data_types.pixels import as_bytes
from quark.compat.wandb.errors import Error
from quark.errors import MissingDependencyError


def shown(*arguments: Any, **keywords: Any) -> Any:
    return np.array(wandb.Image(*arguments, **keywords).image)


def slow_byte(number: float, low: float, high: float) -> int:
    """What one number of an image of floats between ``low`` and ``high`` becomes."""
    if math.isnan(number):
        return 0
    if low >= 0 and high <= 1:
        return round(number * 255)
    if low >= -1 and high <= 1:
        return round((number + 1) * 127.5)
    return int(min(max(number, 0), 255))


SHAPES = st.sampled_from([(3, 5), (3, 5, 1), (3, 5, 3), (2, 7, 4)])


@settings(max_examples=60)
@given(st.data())
def test_bytes_and_whole_numbers_are_exact(data: st.DataObject) -> None:
    pixels = data.draw(arrays.arrays(np.uint8, SHAPES))
    kind = data.draw(st.sampled_from([np.uint8, np.int64, np.int16, np.uint16]))

    found = shown(pixels.astype(kind))

    np.testing.assert_array_equal(found, pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


@settings(max_examples=60)
@given(
    st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-300.0, 500.0)]),
    st.data(),
)
def test_floats_are_scaled_as_a_slower_way_has_it(
    bounds: tuple[float, float], data: st.DataObject
) -> None:
    floats = st.floats(*bounds, width=32) | st.just(math.nan)
    array = data.draw(arrays.arrays(np.float32, (3, 4), elements=floats))
    seen = [float(number) for number in array.flat if not math.isnan(number)] or [0.0]

    found = as_bytes(array, normalize=True)

    expected = [slow_byte(float(number), min(seen), max(seen)) for number in array.flat]
    assert np.abs(found.reshape(-1).astype(int) - expected).max() <= 1  # halves round either way


def test_images_that_a_loader_has_divided_by_255_are_exact() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)

    np.testing.assert_array_equal(shown(pixels / 255.0), pixels)
    np.testing.assert_array_equal(shown((pixels / 255.0).astype(np.float16)), pixels)
    np.testing.assert_array_equal(shown(torch.from_numpy(pixels) / 255), pixels)
    np.testing.assert_array_equal(shown(pixels / 127.5 - 1), pixels)
    np.testing.assert_array_equal(shown(pixels.astype(float)), pixels)
    np.testing.assert_array_equal(shown(pixels / 255.0, normalize=False), pixels == 255)
    assert shown(np.array([[True, False]])).tolist() == [[255, 0]]


def test_tensors_have_their_channels_first() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 7), dtype=np.uint8)
    last = pixels.transpose(1, 2, 0)

    np.testing.assert_array_equal(shown(torch.from_numpy(pixels)), last)
    np.testing.assert_array_equal(shown(torch.from_numpy(pixels)[None]), last)
    np.testing.assert_array_equal(shown(torch.from_numpy(pixels[:1])), last[..., 0])
    np.testing.assert_array_equal(shown(torch.from_numpy(pixels[0])), pixels[0])
    flipped = torch.from_numpy(pixels).flip(0)
    np.testing.assert_array_equal(shown(flipped), last[..., ::-1])
    half = torch.from_numpy(pixels).to(torch.bfloat16).requires_grad_()
    assert np.abs(shown(half).astype(int) - last).max() <= 1


@pytest.mark.parametrize("count", [2, 8, 9])
def test_a_batch_becomes_a_grid(count: int) -> None:
    batch = np.random.default_rng(count).integers(1, 256, (count, 3, 4, 6), dtype=np.uint8)

    image = wandb.Image(torch.from_numpy(batch))

    grid = np.array(image.image)
    assert (image.height, image.width) == grid.shape[:2]
    for number in range(count):
        top, left = 2 + (number // 8) * 6, 2 + (number % 8) * 8
        np.testing.assert_array_equal(
            grid[top : top + 4, left : left + 6], batch[number].transpose(1, 2, 0)
        )
    assert int(grid.astype(int).sum()) == int(batch.astype(int).sum())  # nothing but black between


def test_values_out_of_range_are_cut_off_with_one_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert shown(np.array([[-5, 300, 7]])).tolist() == [[0, 255, 7]]
    assert shown(np.array([[-5.0, math.inf, 7.5]])).tolist() == [[0, 255, 7]]
    assert shown(np.array([[0.2, math.inf, -math.inf]])).tolist() == [[51, 255, 0]]

    assert capsys.readouterr().err.count("cut off") == 1


def test_files_are_kept_as_they_are(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for name in ("photo.png", "photo.jpg", "photo.webp"):
        PILImage.fromarray(pixels).save(tmp_path / name)
        image = wandb.Image(tmp_path / name)
        assert image.read_bytes() == (tmp_path / name).read_bytes()
        assert (image.width, image.height, image.format) == (7, 5, name[6:])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_images_of_pil_keep_their_mode(mode: str) -> None:
    made = PILImage.new(mode, (6, 4), 1)

    image = wandb.Image(made)
    made.putpixel((0, 0), 0)

    assert (image.image.mode, image.image.size) == (mode, (6, 4))
    assert image.image.getpixel((0, 0)) != made.getpixel((0, 0))


def test_a_jpeg_has_no_alpha() -> None:
    image = wandb.Image(np.full((4, 4, 4), 200, dtype=np.uint8), file_type="jpg")

    assert (image.image.format, image.image.mode) == ("JPEG", "RGB")


def test_another_image_is_taken_over_without_its_layers() -> None:
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    box = {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": 0}
    first = wandb.Image(pixels, caption="a", grouping=3, boxes={"b": {"box_data": [box]}})

    second = wandb.Image(first, caption="b")

    assert (second._caption, second._grouping, second._boxes) == ("b", 3, {})
    named = [{"id": 0, "name": "class_0"}]  # what its boxes are of comes along, as with W&B
    assert wandb.Image(first) == wandb.Image(pixels, caption="a", grouping=3, classes=named)
    assert second != first
    assert first != wandb.Image(pixels + 1, caption="a", grouping=3)


def test_a_mask_has_names_for_its_numbers() -> None:
    from quark.compat.wandb.data_types import ImageMask

    numbers = np.array([[0, 7], [7, 255]])

    mask = ImageMask({"mask_data": torch.from_numpy(numbers)}, "m")

    np.testing.assert_array_equal(mask.pixels(), numbers)
    assert mask.class_labels == {0: "class_0", 7: "class_7", 255: "class_255"}


def test_figures_are_drawn_at_once() -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.lines
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2, 3])
    expected = io.BytesIO()
    figure.savefig(expected, format="png")
    images = [wandb.Image(figure), wandb.Image(axes), wandb.Image(plt)]
    axes.plot([3, 2, 1])
    plt.close(figure)

    with PILImage.open(expected) as drawn:
        for image in images:
            np.testing.assert_array_equal(np.array(image.image), np.array(drawn))
    with pytest.raises(ValueError, match="no figure"):
        wandb.Image(mpl.lines.Line2D([0], [0]))


def test_no_arithmetic_of_ours_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown(np.array([[math.nan, math.inf, -math.inf, 1e30]]))
        shown(np.array([[2**40, -(2**40)]]))
        shown(np.full((2, 2), 65504, dtype=np.float16))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: wandb.Image(np.zeros((4, 4, 2))), ValueError, r"\[4, 4, 2\]"),
        (lambda: wandb.Image(np.zeros((0, 4))), ValueError, "no pixels"),
        (lambda: wandb.Image(torch.zeros(5, 4, 4)), ValueError, r"\[5, 4, 4\]"),
        (lambda: wandb.Image(np.array(["a"])), TypeError, "numbers"),
        (lambda: wandb.Image(object()), TypeError, "object"),
        (lambda: wandb.Image(np.zeros((2, 2)), file_type="tiff"), ValueError, "png, jpg"),
        (lambda: wandb.Image(np.zeros((2, 2)), masks=cast(Any, [1])), ValueError, "masks"),
        (lambda: wandb.Video(np.zeros((2, 5, 4, 4)), format="gif"), ValueError, "5 channels"),
        (lambda: wandb.Audio(np.zeros((1, 2, 3)), sample_rate=1), ValueError, "samples"),
        (lambda: wandb.Graph.from_keras(None), Error | NotImplementedError, "from_keras"),
        (lambda: wandb.Molecule.from_smiles("C"), MissingDependencyError, "pip install rdkit"),
    ],
)
def test_what_makes_no_value_is_refused_at_once(make: Any, error: Any, words: str) -> None:
    with pytest.raises(error if isinstance(error, type) else error.__args__, match=words):
        make()
