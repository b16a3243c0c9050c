"""Trains a tiny character model the way nanoGPT's train.py does: settings are module globals that
the command line overrides, the whole of them is the config, and wandb is asked for by a switch."""

import json
import math
import os
import sys
import time
from ast import literal_eval

import torch
from torch.nn import functional as F

# -----------------------------------------------------------------------------
out_dir = "out"
eval_interval = 10
log_interval = 1
eval_iters = 2
always_save_checkpoint = True
init_from = "scratch"
wandb_log = False  # disabled by default
wandb_project = "owt"
wandb_run_name = "gpt2"  # 'run' + str(time.time())
gradient_accumulation_steps = 2
batch_size = 8
block_size = 16
n_embd = 16
dropout = 0.0
learning_rate = 1e-2
max_iters = 30
warmup_iters = 5
lr_decay_iters = 30
min_lr = 1e-3
grad_clip = 1.0
device = "cpu"
# -----------------------------------------------------------------------------
config_keys = [
    k
    for k, v in globals().items()
    if not k.startswith("_") and isinstance(v, (int, float, bool, str))
]
for arg in sys.argv[1:]:
    key, val = arg.removeprefix("--").split("=")
    try:
        attempt = literal_eval(val)
    except (SyntaxError, ValueError):
        attempt = val
    assert type(attempt) is type(globals()[key])
    globals()[key] = attempt
config = {k: globals()[k] for k in config_keys}

master_process = int(os.environ.get("RANK", -1)) in (-1, 0)
os.makedirs(out_dir, exist_ok=True)
torch.manual_seed(1337)
text = "to be, or not to be, that is the question: " * 20
chars = sorted(set(text))
data = torch.tensor([chars.index(c) for c in text])
split = int(0.9 * len(data))


def get_batch(split_name):
    rows = data[:split] if split_name == "train" else data[split - block_size :]
    ix = torch.randint(len(rows) - block_size - 1, (batch_size,))
    return (
        torch.stack([rows[i : i + block_size] for i in ix]),
        torch.stack([rows[i + 1 : i + 1 + block_size] for i in ix]),
    )


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = torch.nn.Embedding(len(chars), n_embd)
        self.mix = torch.nn.GRU(n_embd, n_embd, batch_first=True)
        self.head = torch.nn.Linear(n_embd, len(chars))

    def forward(self, idx, targets):
        logits = self.head(self.mix(self.wte(idx))[0])
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


model = Tiny()
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)


@torch.no_grad()
def estimate_loss():
    model.eval()
    out = {
        name: torch.tensor([model(*get_batch(name)).item() for _ in range(eval_iters)]).mean()
        for name in ("train", "val")
    }
    model.train()
    return out


def get_lr(it):
    if it < warmup_iters:
        return learning_rate * (it + 1) / (warmup_iters + 1)
    ratio = (it - warmup_iters) / (lr_decay_iters - warmup_iters)
    return min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (learning_rate - min_lr)


if wandb_log and master_process:
    import wandb

    wandb.init(project=wandb_project, name=wandb_run_name, config=config)

said = []
best_val_loss = 1e9
t0 = time.time()
running_mfu = -1.0
for iter_num in range(max_iters + 1):
    lr = get_lr(iter_num)
    for param_group in optimizer.param_groups:
        param_group["lr"] = lr
    if iter_num % eval_interval == 0 and master_process:
        losses = estimate_loss()
        print(f"step {iter_num}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
        if wandb_log:
            wandb.log(
                {
                    "iter": iter_num,
                    "train/loss": losses["train"],
                    "val/loss": losses["val"],
                    "lr": lr,
                    "mfu": running_mfu * 100,  # convert to percentage
                }
            )
        said.append([iter_num, losses["train"].item(), losses["val"].item(), lr])
        best_val_loss = min(best_val_loss, losses["val"].item())
    for _ in range(gradient_accumulation_steps):
        loss = model(*get_batch("train")) / gradient_accumulation_steps
        loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    running_mfu = 0.9 * running_mfu + 0.1 * (1 / max(time.time() - t0, 1e-6))
    t0 = time.time()

with open("said.json", "w") as file:
    json.dump({"rows": said, "config": config}, file)
