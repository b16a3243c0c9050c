"""Takes its config out of the script's globals, as nanoGPT does, and never calls finish."""

import torch
import wandb

eval_interval = 5
eval_iters = 2
wandb_log = True
wandb_project = "owt"
wandb_run_name = "gpt2"
learning_rate = 6e-4
max_iters = 12
weight_decay = 1e-1
dtype = "float32"
compile = False
config_keys = [
    k
    for k, v in globals().items()
    if not k.startswith("_") and isinstance(v, (int, float, bool, str))
]
config = {k: globals()[k] for k in config_keys}

torch.manual_seed(1337)
torch.set_num_threads(1)
model = torch.nn.Linear(8, 8)
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
if wandb_log:
    wandb.init(project=wandb_project, name=wandb_run_name, config=config)
running_mfu = -1.0
for it in range(max_iters):
    lr = learning_rate * (it + 1) / max_iters
    for group in optimizer.param_groups:
        group["lr"] = lr
    if it % eval_interval == 0 and wandb_log:
        losses = {
            split: torch.stack(
                [(model(torch.randn(4, 8)) ** 2).mean() for _ in range(eval_iters)]
            ).mean()
            for split in ("train", "val")
        }
        wandb.log(
            {
                "iter": it,
                "train/loss": losses["train"],
                "val/loss": losses["val"],
                "lr": lr,
                "mfu": running_mfu * 100,
            }
        )
    loss = (model(torch.randn(4, 8)) ** 2).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
