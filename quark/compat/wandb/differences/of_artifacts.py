"""Artifacts: what differs from W&B 0.31, and why."""

from __future__ import annotations

from quark.compat.wandb.differences.difference import Difference

ARTIFACTS: tuple[Difference, ...] = (
    Difference(
        "artifacts offline",
        "Kept for later: `wait`, `version` and what else a server says raise, `use_artifact`, "
        "`use_model` and the links too.",
        "Stored at once, in every mode; all of it works.",
        "The store is on this machine.",
    ),
    Difference(
        "the digest of an artifact that holds images or other media",
        "Made of its own form of the value.",
        "The same, with the same versions of the encoders, except for: images of floats in [0, 1] "
        "or [-1, 1] and of booleans, which are scaled here; HTML with `inject=True`; points in "
        "space that are not finite; a `JoinedTable`, in whose name W&B puts a place in memory; a "
        "table of images with boxes of several scores, whose names W&B writes in the order of a "
        "set; and the artifact of a table that a run logs, whose images are the files of the run.",
        "The same content has the same digest there and here, where it is the same content.",
        (
            "artifacts.behaviours_media / images: floats in [0, 1] contents",
            "artifacts.behaviours_media / images: floats in [0, 1] entry",
            "artifacts.behaviours_media / text_and_space: html with a head contents",
            "artifacts.behaviours_media / text_and_space: html with a head entry",
            "artifacts.behaviours_media / text_and_space: points that are no numbers contents",
            "artifacts.behaviours_media / text_and_space: points that are no numbers entry",
        ),
    ),
    Difference(
        "a `Plotly`, an `Object3D` of a model, or an image with masks of files and without "
        "`classes` in `Artifact.add`",
        "`TypeError` and `ValueError`.",
        "Added, and read back with `get`.",
        "There is no reason against it.",
        (
            "artifacts.behaviours_media / layers: mask of a file alone contents",
            "artifacts.behaviours_media / layers: mask of a file alone entry",
            "artifacts.behaviours_media / text_and_space: model file contents",
            "artifacts.behaviours_media / text_and_space: model file entry",
            "artifacts.behaviours_media / text_and_space: model path contents",
            "artifacts.behaviours_media / text_and_space: model path entry",
            "artifacts.behaviours_media / text_and_space: plotly contents",
            "artifacts.behaviours_media / text_and_space: plotly entry",
        ),
    ),
    Difference(
        "`Artifact(digest_algorithm='XXH128')`",
        "Another digest.",
        "MD5, with a warning.",
        "Content is told apart by SHA-256 here.",
    ),
    Difference(
        "a file that is written while it is added to an artifact",
        "Copied as it is found.",
        "Read again, and after three times a `ValueError`.",
        "Half a checkpoint is no checkpoint.",
    ),
    Difference(
        "a reference to a web server that does not answer, or to a bucket",
        "An error of `requests`, boto3 or another client.",
        "Kept, with a warning: the URL stands for the content. Buckets are not looked into.",
        "An artifact is not lost for want of a network.",
    ),
    Difference(
        "`log_artifact(path)` without `name` for a file with other characters in its name",
        "`ValueError`.",
        "They become `_` in the name of the artifact.",
        "The name was not chosen by the script.",
    ),
    Difference(
        "aliases that look like versions (`v3`), and empty ones",
        "Left to the server.",
        "Left out; the former with a warning.",
        "A version has its own name always.",
    ),
    Difference(
        "`ttl` of an artifact",
        "Deleted by the server.",
        "Kept until `quark.catalog.removal.collect` is called.",
        "Nothing is deleted by itself here.",
    ),
    Difference(
        "a new name for a collection of artifacts",
        "Renames it.",
        "`ValueError`: its versions can be linked to a collection of that name.",
        "What used it is noted under its name.",
    ),
)
