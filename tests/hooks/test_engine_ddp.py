"""Every rank of a distributed training sums up its own share, into the run they have in common."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from quark import HookEngine, TrainingSession
from quark.ids import record_id
from quark.session.reading import load_context
from quark.settings import Settings
from tests.hooks.plainly import ByHand, Place, check_summaries

RANKS, STEPS = 2, 3

RANK = """
import os, sys
import torch
from quark import HookEngine
from quark.session.reading import load_context
from quark.settings import Settings
from tests.hooks.test_engine_ddp import STEPS, new_model, part_of
rank, folder, run_id = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.set_num_threads(1)
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
)
model = torch.nn.parallel.DistributedDataParallel(new_model())
context = load_context(run_id, Settings.load(storage_dir=folder))
with HookEngine(context, model) as hooks:
    assert hooks.instrumented_module_names == ("module.0", "module.1", "module.2")
    for step in range(STEPS):
        with hooks.step(step):
            model(part_of(rank)).pow(2).mean().backward()
    print(hooks._handle.journal.writer_id)
torch.distributed.destroy_process_group()
"""


def new_model() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 2))


def part_of(rank: int) -> torch.Tensor:
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(rank))


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed parts")
def test_each_rank_has_its_summaries_in_the_shared_run(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        command = [sys.executable, "-c", RANK]
        ranks = [
            subprocess.Popen(
                [*command, str(rank), str(tmp_path), session.run_id],
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(RANKS)
        ]
        writers = [rank.communicate(timeout=90)[0].strip() for rank in ranks]
        assert [rank.returncode for rank in ranks] == [0] * RANKS

    context = load_context(session.run_id, Settings.load(storage_dir=str(tmp_path)))
    with HookEngine(context, nn.Identity()) as hooks:
        found = hooks.read()
    assert len(found) == RANKS * STEPS * 6
    for rank, writer in enumerate(writers):
        own = [one for one in found if one.id.startswith(record_id(writer, 0)[:-1])]
        expected = by_hand(part_of(rank))
        for step in range(STEPS):
            check_summaries(tuple(one for one in own if one.step == step), expected)


def by_hand(x: torch.Tensor) -> dict[Place, torch.Tensor]:
    model = new_model()
    with ByHand(model) as watcher:
        model(x).pow(2).mean().backward()
    return {(f"module.{name}", *rest): one for (name, *rest), one in watcher.tensors.items()}  # type: ignore[misc]
