"""The example finds what it says it finds, on real data."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "data_diagnostics.py"


@pytest.mark.slow
def test_the_hard_batches_of_the_example_are_the_mislabelled_ones(
    tmp_path: Path, python: str
) -> None:
    command = [python, str(EXAMPLE), "--storage-dir", str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    shares = re.findall(r"hard batch \d: .* (\d+) of (\d+) mislabelled \((.*)\)", told)
    assert [(wrong, size) for wrong, size, _ in shares] == [("32", "32")] * 4
    assert all("loss_z_score, loss_iqr" in rules for *_, rules in shares)
    assert "1797 samples" in told
    assert "100% of them" in told
    (path,) = re.findall(r"kept as (\S+)", told)
    kept = json.loads((tmp_path / ".quark" / path).read_text())
    assert kept["batch_count"] == 57
    assert len(kept["hard_batches"]) == 4
