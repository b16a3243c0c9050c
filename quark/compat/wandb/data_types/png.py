"""PNGs as W&B writes them, which the digest of an artifact depends on."""

from __future__ import annotations

import io

from quark._optional import require


def png_as_wandb(content: bytes) -> bytes:
    """Return a PNG with the same pixels, encoded as W&B has PIL encode it."""
    pil = require("PIL.Image", purpose="wandb.Image")
    buffer = io.BytesIO()
    with pil.open(io.BytesIO(content)) as image:
        image.save(buffer, "PNG", transparency=None)
    return buffer.getvalue()
