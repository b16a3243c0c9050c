"""Learns CartPole for a moment the way CleanRL's scripts do: everything goes to a SummaryWriter, and
wandb is told to follow it."""

import argparse
import json
import os
import random
import time

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

parser = argparse.ArgumentParser()
parser.add_argument("--exp-name", default=os.path.basename(__file__)[: -len(".py")])
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--track", action="store_true")
parser.add_argument("--wandb-project-name", default="cleanRL")
parser.add_argument("--wandb-entity", default=None)
parser.add_argument("--env-id", default="CartPole-v1")
parser.add_argument("--total-timesteps", type=int, default=300)
parser.add_argument("--learning-rate", type=float, default=2.5e-3)
args = parser.parse_args()
run_name = f"{args.env_id}__{args.exp_name}__{args.seed}"
if args.track:
    import wandb

    wandb.init(
        project=args.wandb_project_name,
        entity=args.wandb_entity,
        sync_tensorboard=True,
        config=vars(args),
        name=run_name,
        monitor_gym=True,
        save_code=True,
    )
writer = SummaryWriter(f"runs/{run_name}")
writer.add_text(
    "hyperparameters",
    "|param|value|\n|-|-|\n%s"
    % ("\n".join([f"|{key}|{value}|" for key, value in vars(args).items()])),
)
random.seed(args.seed)
np.random.seed(args.seed)
torch.manual_seed(args.seed)
env = gym.wrappers.RecordEpisodeStatistics(gym.make(args.env_id))
policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=args.learning_rate)
said = {"returns": [], "losses": []}
obs, _ = env.reset(seed=args.seed)
start_time = time.time()
logprobs = []
for global_step in range(args.total_timesteps):
    dist = torch.distributions.Categorical(logits=policy(torch.as_tensor(obs)))
    action = dist.sample()
    logprobs.append(dist.log_prob(action))
    obs, reward, terminated, truncated, info = env.step(action.item())
    if terminated or truncated:
        episode = float(np.asarray(info["episode"]["r"]).item())
        writer.add_scalar("charts/episodic_return", episode, global_step)
        loss = -(torch.stack(logprobs) * (episode - 20) / 20).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        writer.add_scalar("losses/policy_loss", loss.item(), global_step)
        writer.add_scalar("charts/SPS", int(global_step / (time.time() - start_time)), global_step)
        said["returns"].append([global_step, episode])
        said["losses"].append([global_step, loss.item()])
        logprobs = []
        obs, _ = env.reset()
env.close()
writer.close()
with open("said.json", "w") as file:
    json.dump(said, file)
