"""Trains a character-level transformer, in the style of small GPT trainers: settings as globals,
gradient accumulation, an evaluation every so often, everything logged with the iteration."""

import math

import torch
import wandb
from torch import nn
from torch.nn import functional as F

# I/O
eval_interval = 10
eval_iters = 4
wandb_log = True
wandb_project = "gpt"
wandb_run_name = "mini-gpt"
# model
n_layer, n_head, n_embd, block_size, dropout = 2, 2, 32, 24, 0.0
# optimisation
gradient_accumulation_steps, batch_size = 2, 8
learning_rate, min_lr, warmup_iters, max_iters = 3e-3, 3e-4, 5, 40
weight_decay, grad_clip, decay_lr = 1e-1, 1.0, True
seed = 1337

config_keys = [
    name
    for name, value in globals().items()
    if not name.startswith("_") and isinstance(value, (int, float, bool, str))
]
config = {name: globals()[name] for name in config_keys}

torch.manual_seed(seed)
torch.set_num_threads(1)

text = "the quick brown fox jumps over the lazy dog. " * 60
chars = sorted(set(text))
vocab_size = len(chars)
codes = torch.tensor([chars.index(char) for char in text])
split = int(0.9 * len(codes))
splits = {"train": codes[:split], "val": codes[split:]}


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.attend = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.project = nn.Linear(n_embd, n_embd, bias=False)
        self.feed = nn.Sequential(
            nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd)
        )

    def forward(self, x):
        batch, length, _ = x.shape
        heads = self.attend(self.norm_1(x)).view(batch, length, 3, n_head, n_embd // n_head)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(batch, length, n_embd))
        return x + self.feed(self.norm_2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(vocab_size, n_embd)
        self.place = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*(Block() for _ in range(n_layer)))
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)

    def forward(self, x, targets):
        x = self.token(x) + self.place(torch.arange(x.shape[1]))
        logits = self.head(self.norm(self.blocks(x)))
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def get_batch(name):
    data = splits[name]
    starts = torch.randint(len(data) - block_size - 1, (batch_size,))
    x = torch.stack([data[i : i + block_size] for i in starts])
    return x, torch.stack([data[i + 1 : i + 1 + block_size] for i in starts])


def get_lr(it):
    if it < warmup_iters:
        return learning_rate * (it + 1) / (warmup_iters + 1)
    ratio = (it - warmup_iters) / (max_iters - warmup_iters)
    return min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (learning_rate - min_lr)


@torch.no_grad()
def estimate_loss():
    model.eval()
    out = {}
    for name in splits:
        out[name] = torch.tensor([model(*get_batch(name))[1].item() for _ in range(eval_iters)])
        out[name] = out[name].mean()
    model.train()
    return out


model = GPT()
optimizer = torch.optim.AdamW(
    model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=weight_decay
)
if wandb_log:
    wandb.init(project=wandb_project, name=wandb_run_name, config=config)

best_val_loss = 1e9
for iter_num in range(max_iters + 1):
    lr = get_lr(iter_num) if decay_lr else learning_rate
    for group in optimizer.param_groups:
        group["lr"] = lr
    if iter_num % eval_interval == 0:
        losses = estimate_loss()
        print(f"step {iter_num}: train {losses['train']:.4f}, val {losses['val']:.4f}")
        if wandb_log:
            wandb.log(
                {
                    "iter": iter_num,
                    "train/loss": losses["train"],
                    "val/loss": losses["val"],
                    "lr": lr,
                    "mfu": -1.0 * 100,
                }
            )
        if losses["val"] < best_val_loss:
            best_val_loss = losses["val"]
            wandb.run.summary["best_val_loss"] = best_val_loss
    for _ in range(gradient_accumulation_steps):
        _, loss = model(*get_batch("train"))
        (loss / gradient_accumulation_steps).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    wandb.log({"train/iter_loss": loss.item(), "train/grad_norm": norm}, step=wandb.run.step)
