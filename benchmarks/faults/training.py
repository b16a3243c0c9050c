"""The script that trains one run: what people write, with switches for what they get wrong.

Quark is there as ``import quark.compat.wandb as wandb`` and nowhere else: ``init``, ``log``,
``watch`` in the watch arm, and ``finish``. No rule can see the switches: they are not in the run's
configuration, and rules do not read tags.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import quark.compat.wandb as wandb
from benchmarks.faults import models
from benchmarks.faults.batches import loader, prepared
from benchmarks.faults.losses import criterion_of, loss_of, score_of
from benchmarks.faults.optimizers import build_optimizer, build_scheduler
from benchmarks.faults.options import Options, Plan
from benchmarks.faults.tasks import TASKS, Data, Task

HANG_SECONDS = 1.5
SLOW_RANK_MS = 30.0
CORRUPTION = 0.05


class Training:
    """One run of one plan in this process."""

    def __init__(self, plan: Plan, folder: Path, rank: int = 0) -> None:
        self.plan, self.folder, self.rank = plan, folder, rank
        self.options = options = Options(**plan.options)
        self.task: Task = TASKS[plan.task]
        torch.manual_seed(plan.seed)
        self.data: Data = prepared(self.task, options, plan.seed)
        self.batch_size = options.batch_size or self.task.batch_size
        self.model = self.task.build(options)
        if options.softmax_twice or options.log_forgotten:
            self.model = models.WithSoftmax(self.model)
        if options.init:
            models.initialise(self.model, options.init)
        self.criterion = criterion_of(self.task, options)
        self.onset_step: int | None = None
        self.leak: list[bytearray] = []
        self.run: Any = None
        self.scaler = None
        if options.numerics in ("amp", "amp_fine"):
            self.scaler = torch.amp.GradScaler("cpu", growth_interval=100)

    # -- the script ----------------------------------------------------------------------------

    def go(self) -> dict[str, Any]:
        """Train; return what the benchmark has to know beside the run itself."""
        options, plan = self.options, self.plan
        if options.pretrained:
            self.pretrain()
        epoch_steps = max(1, -(-len(self.data.train_x) // self.batch_size))
        self.optimizer = build_optimizer(self.task, options, self.model)
        scheduler = build_scheduler(self.optimizer, options, epoch_steps)
        if plan.arm != "bare":
            self.run = self.start(epoch_steps)
            if plan.arm == "watch":
                wandb.watch(self.model, self.criterion, log="all", log_freq=10)
        begin = time.perf_counter()
        step = epoch = 0
        while step < options.steps:
            self.model.train()
            for x, y in self.batches(epoch, step):
                if step >= options.steps:
                    break
                row = self.step(step, x, y)
                if scheduler is not None and options.schedule_per_batch:
                    scheduler.step()
                self.log({**row, **self.about(epoch, step, epoch_steps)})
                self.may_die(step)
                step += 1
            epoch += 1
            if scheduler is not None and not options.schedule_per_batch:
                scheduler.step()
            if epoch % options.eval_every_epochs == 0 and step >= self.next_evaluation:
                self.evaluate(epoch)
        seconds = time.perf_counter() - begin
        score = self.evaluate(epoch, keep=False)
        if self.run is not None:
            wandb.finish()
        return self.facts(seconds, score)

    def batches(self, epoch: int, step: int) -> Iterator[list[Tensor]]:
        """Yield one epoch's batches; every epoch and every rank has others."""
        options = self.options
        wait_ms = options.loader_ms
        if options.rank_fault == "slow" and self.rank == 1:
            wait_ms = SLOW_RANK_MS
        seed = self.plan.seed + 1000 * epoch + 1_000_000 * self.rank
        for place, batch in enumerate(loader(self.data, options, self.batch_size, seed), step + 1):
            stalls = options.stall_every and place % options.stall_every == 0
            time.sleep((wait_ms + options.stall_ms * bool(stalls)) / 1000)
            yield batch

    def start(self, epoch_steps: int) -> Any:
        options, plan, names = self.options, self.plan, self.task.names
        shared: dict[str, Any] = {"mode": "shared"} if options.ranks > 1 else {}
        if options.ranks > 1:
            shared["settings"] = wandb.Settings(x_primary=self.rank == 0)
        self.next_evaluation = 0
        return wandb.init(
            project="faults",
            id=plan.run_id,
            dir=str(self.folder),
            tags=[plan.label, plan.task, plan.half, plan.variant or "plain"],
            config={
                "batch_size": self.batch_size,
                "epochs": -(-options.steps // epoch_steps),
                "optimizer": type(self.optimizer).__name__,
                "seed": plan.seed,
                "model": type(self.model).__name__,
                "logs": [names.train_loss, names.val_loss],
            },
            **shared,
        )

    next_evaluation = 0

    def step(self, step: int, x: Tensor, y: Tensor) -> dict[str, float | Tensor | None]:
        """Train on one batch; return what is logged of it."""
        options, names = self.options, self.task.names
        begin = time.perf_counter()
        broken = self.broken_at(step)
        if broken == "nan_sample":
            x = x.clone()
            x[0] = float("nan")
        if options.steps_first:
            self.optimizer.step()
        if options.zeroes_gradients and step % options.accumulate == 0:
            self.optimizer.zero_grad()
        output = self.model(x)
        loss = loss_of(self.criterion, output, y, broken)
        if options.negated:
            loss = -loss
        shown = loss.item()
        if options.accumulate > 1 and options.accumulation_scaled:
            loss = loss / options.accumulate
        if broken == "amp":
            output.register_hook(lambda gradient: gradient * float("inf"))
        torch.autograd.backward(loss if self.scaler is None else self.scaler.scale(loss))
        self.compute_longer(step, begin)
        norm = None
        if (step + 1) % options.accumulate == 0:
            norm = self.update()
        if options.steps_first:
            self.optimizer.zero_grad()
        self.end_step(step)
        row: dict[str, Any] = {names.train_loss: shown}
        if names.train_score is not None:
            row[names.train_score] = score_of(self.task, output.detach(), y)
        logs_norm = options.logs_gradient_norm
        if names.gradient_norm and logs_norm is not False and norm is not None:
            row[names.gradient_norm] = norm
        if self.scaler is not None:
            row["amp/scale"] = self.scaler.get_scale()
        return row

    def update(self) -> Tensor:
        """Clip, average over ranks, and step."""
        options = self.options
        if options.ranks > 1:
            self.average_gradients()
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        limit = float("inf") if options.clip_norm is None else options.clip_norm
        norm: Tensor = nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        if self.scaler is not None:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        elif not options.steps_first:
            self.optimizer.step()
        self.corrupt()
        return norm

    def evaluate(self, epoch: int, *, keep: bool = True) -> float:
        """Log loss and score on the validation data; return the loss."""
        names, total, right, count = self.task.names, 0.0, 0.0, 0
        if not self.options.evaluates_in_train_mode:
            self.model.eval()
        plain = nn.MSELoss() if self.task.kind == "numbers" else self.criterion
        with torch.no_grad():
            for start in range(0, len(self.data.val_x), 128):
                x = self.data.val_x[start : start + 128]
                y = self.data.val_y[start : start + 128]
                output = self.model(x)
                total += loss_of(plain, output, y, None).item() * len(x)
                right += score_of(self.task, output, y) * len(x)
                count += len(x)
        if keep:
            self.next_evaluation = self.steps_done + 20
            row: dict[str, Any] = {names.val_loss: total / count}
            if names.val_score is not None:
                row[names.val_score] = right / count
            if names.epoch is not None:
                row[names.epoch] = epoch
            self.log(row)
        return total / count

    # -- around it -----------------------------------------------------------------------------

    steps_done = 0

    def log(self, row: dict[str, Any]) -> None:
        if self.run is not None:
            wandb.log({key: value for key, value in row.items() if value is not None})
            if self.options.spool_bytes:  # a burst, so that little room is too little
                for place in range(8):
                    wandb.log({f"detail/{place}/{key}": place * 0.5 for key in range(60)})

    def about(self, epoch: int, step: int, epoch_steps: int) -> dict[str, Any]:
        self.steps_done = step + 1
        names, row = self.task.names, {}
        if names.learning_rate is not None:
            row[names.learning_rate] = self.optimizer.param_groups[0]["lr"]
        if self.task.kind == "language" and names.epoch is not None:
            row[names.epoch] = step / epoch_steps
        return row

    def broken_at(self, step: int) -> str | None:
        """Say what goes wrong with the numbers of this step."""
        options = self.options
        onset = int(options.onset_ratio * options.steps)
        wrong = "nan_sample" if options.rank_fault == "nan" else options.numerics
        if wrong is None or step < onset:
            return None
        if self.onset_step is None and self.run is not None:
            self.onset_step = self.run.step
        if options.rank_fault == "nan" and self.rank != 1:
            return None
        if wrong == "amp_fine":  # a few overflows are what the scale is for
            return "amp" if step in (onset, onset + 1) else None
        if wrong in ("nan_sample", "zero_division"):
            return wrong if step == onset else None
        return wrong

    def compute_longer(self, step: int, begin: float) -> None:
        """Take the time that a larger model would, between the passes and the update."""
        options = self.options
        wait = options.step_floor_ms / 1000 - (time.perf_counter() - begin)
        if step == 0:
            wait += options.first_step_ms / 1000
        if options.slow_every and (step + 1) % options.slow_every == 0:
            wait += options.stall_ms / 1000
        if wait > 0:
            time.sleep(wait)

    def end_step(self, step: int) -> None:
        """Write a checkpoint, and leak memory."""
        options = self.options
        if options.checkpoint_every and (step + 1) % options.checkpoint_every == 0:
            torch.save(self.model.state_dict(), self.folder / f"{self.plan.run_id}.pt")
            time.sleep(options.checkpoint_ms / 1000)  # a disk that is slow
        if options.leaked_bytes_per_step:
            self.leak.append(bytearray(b"x" * options.leaked_bytes_per_step))

    def may_die(self, step: int) -> None:
        options = self.options
        at = options.killed_at_ratio
        if at is not None and step >= at * options.steps and self.run is not None:
            self.write_facts(self.facts(0.0, float("nan")))
            if options.hangs:
                time.sleep(HANG_SECONDS)
            os.kill(os.getpid(), signal.SIGKILL)

    def average_gradients(self) -> None:
        """Do what DistributedDataParallel does. What is not finite is kept from the other rank."""
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                shared = parameter.grad.nan_to_num()
                torch.distributed.all_reduce(shared)
                if parameter.grad.isfinite().all():
                    parameter.grad.copy_(shared / self.options.ranks)

    @torch.no_grad()
    def corrupt(self) -> None:
        """Disturb the weights of the second rank a little, as a faulty device does."""
        if self.options.rank_fault == "diverging" and self.rank == 1:
            for parameter in self.model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=CORRUPTION)

    def pretrain(self) -> None:
        """Train without anything being logged, as if the model came from elsewhere."""
        optimizer = torch.optim.Adam(self.model.parameters(), lr=self.task.lrs["adam"])
        for epoch in range(8):
            for x, y in loader(self.data, self.options, self.batch_size, 5000 + epoch):
                optimizer.zero_grad()
                torch.autograd.backward(loss_of(self.criterion, self.model(x), y, None))
                optimizer.step()

    def facts(self, seconds: float, val_loss: float) -> dict[str, Any]:
        return {
            "run_id": self.plan.run_id,
            "label": self.plan.label,
            "variant": self.plan.variant,
            "task": self.plan.task,
            "seed": self.plan.seed,
            "half": self.plan.half,
            "arm": self.plan.arm,
            "steps": self.options.steps,
            "onset_step": self.onset_step,
            "seconds": seconds,
            "val_loss": val_loss,
            "hangs": self.options.hangs,
        }

    def write_facts(self, facts: dict[str, Any]) -> None:
        if self.rank == 0:
            path = self.folder / "facts" / f"{self.plan.run_id}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(facts))


def train(plan: Plan, folder: Path, rank: int = 0) -> dict[str, Any]:
    """Train one run of ``plan``, kept in ``folder``; return and write down its facts."""
    torch.set_num_threads(1)
    options = Options(**plan.options)
    with contextlib.ExitStack() as stack:
        if options.ranks > 1:
            meeting = folder / f"meeting-{plan.run_id}-{os.getppid()}"
            torch.distributed.init_process_group(
                "gloo", f"file://{meeting.absolute()}", rank=rank, world_size=options.ranks
            )
            stack.callback(torch.distributed.destroy_process_group)
            stack.callback(torch.distributed.barrier)
        training = Training(plan, folder, rank)
        facts = training.go()
    training.write_facts(facts)
    return facts
