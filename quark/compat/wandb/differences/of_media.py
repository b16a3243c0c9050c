"""Where images, audio and other media are not kept as W&B 0.31 keeps them, and why."""

from __future__ import annotations

from quark.compat.wandb.differences.difference import Difference

MEDIA: tuple[Difference, ...] = (
    Difference(
        "images of floats in [0, 1] or [-1, 1], and of booleans",
        "Cast to bytes as they are since 0.31: black, or noise.",
        "Scaled to 0 to 255, as W&B did before 0.31; `normalize=False` casts. Whole numbers from 0 "
        "to 255 are exact in both.",
        "It is what such an image means, and what scripts were written for.",
        (
            "media / images: unit_floats",
            "media / images: signed_floats",
            "media / images: booleans",
        ),
    ),
    Difference(
        "more than 108 images in a list",
        "The first 108 are kept.",
        "All are kept.",
        "What was logged is not lost.",
        ("media / images: many_too_many",),
    ),
    Difference(
        "a bare PIL image in `log`",
        "`TypeError`.",
        "Kept as a `wandb.Image`.",
        "There is only one thing that it can mean.",
        ("media / images: pil_bare",),
    ),
    Difference(
        "media behind a URL in `log`",
        "`ValueError`.",
        "The URL is kept, with one warning; the file is not fetched.",
        "Logging does not stop a training.",
        ("media / images: elsewhere",),
    ),
    Difference(
        "`wandb.Image` of a nested list of numbers",
        "`AttributeError`.",
        "Taken as an array.",
        "There is only one thing that it can mean.",
        ("media / refusals: image of a list",),
    ),
    Difference(
        "`wandb.Image` of what is no image at all, such as None",
        "`AttributeError`.",
        "`TypeError`.",
        "It is what is wrong with it.",
        ("media / refusals: image of None",),
    ),
    Difference(
        "the names of an image's classes in its JSON",
        "Not there: they are kept for the run as a whole.",
        "`class_labels` with a mask that was given them, and `classes` with an image.",
        "So that an image can be read back as it was logged.",
        ("media / layers: mask", "media / layers: classes"),
    ),
    Difference(
        "`Html(inject=True)`",
        "Lets links open in a new tab, and links W&B's style sheet.",
        "Lets links open in a new tab.",
        "A page on this machine should not call a server.",
        ("media / other_kinds: html_head",),
    ),
    Difference(
        "`box3d` with a negative part in `orientation`",
        "The sign is dropped, and the box is turned another way.",
        "Turned as the quaternion says.",
        "It is what the documentation of W&B says of it.",
        ("media / other_kinds: box turned the other way",),
    ),
    Difference(
        "a figure of matplotlib that plotly cannot convert",
        "Raises what plotly raises.",
        "Kept as an image.",
        "Logging does not stop a training.",
        ("media / figures: empty figure",),
    ),
    Difference(
        "a file of media that cannot be kept in the background",
        "-",
        'Said once; the row has `{"_type": "lost-media"}` with the reason in its place.',
        "Encoding and writing wait until `log` has returned.",
    ),
    Difference(
        "media of a run as objects",
        "Only from artifacts and tables; of a run, its files can be downloaded.",
        "`Api().run(...).media(value)` gives the `wandb.Image` or other value that a row or the "
        "summary holds, an addition.",
        "What was logged can be read.",
    ),
)
