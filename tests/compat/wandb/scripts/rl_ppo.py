"""A policy gradient on a corridor, in the style of single-file RL: arguments as a dataclass, charts
and losses by the global step, an episode's return whenever one ends."""

import random
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
import wandb
from torch import nn, optim
from torch.distributions.categorical import Categorical


@dataclass
class Args:
    exp_name: str = "rl_ppo"
    seed: int = 1
    torch_deterministic: bool = True
    track: bool = True
    wandb_project_name: str = "cleanRL"
    wandb_entity: str = None
    env_id: str = "Corridor-v0"
    total_timesteps: int = 1536
    learning_rate: float = 1e-2
    num_steps: int = 128
    anneal_lr: bool = True
    gamma: float = 0.99
    ent_coef: float = 0.01
    max_grad_norm: float = 0.5


class Corridor:
    """Nine places in a row; the reward is at the right end."""

    def reset(self):
        self.place, self.moves = 4, 0
        return self._seen()

    def step(self, action):
        self.place += 1 if action else -1
        self.moves += 1
        done = self.place in (0, 8) or self.moves >= 40
        return self._seen(), float(self.place == 8) - 0.01, done

    def _seen(self):
        return np.eye(9, dtype=np.float32)[self.place]


def layer_init(layer, std=np.sqrt(2), bias_const=0.0):
    torch.nn.init.orthogonal_(layer.weight, std)
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


if __name__ == "__main__":
    args = Args()
    run_name = f"{args.env_id}__{args.exp_name}__{args.seed}"
    if args.track:
        wandb.init(
            project=args.wandb_project_name,
            entity=args.wandb_entity,
            config=vars(args),
            name=run_name,
            tags=["rl", args.env_id],
        )
        wandb.define_metric("global_step")
        wandb.define_metric("*", step_metric="global_step")
        wandb.define_metric("charts/episodic_return", summary="max")
    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    torch.backends.cudnn.deterministic = args.torch_deterministic

    env = Corridor()
    agent = nn.Sequential(layer_init(nn.Linear(9, 32)), nn.Tanh(), layer_init(nn.Linear(32, 2)))
    optimizer = optim.Adam(agent.parameters(), lr=args.learning_rate, eps=1e-5)
    global_step = 0
    start_time = time.time()
    seen = env.reset()
    episodic_return = 0.0
    num_updates = args.total_timesteps // args.num_steps
    for update in range(1, num_updates + 1):
        if args.anneal_lr:
            optimizer.param_groups[0]["lr"] = (
                1.0 - (update - 1.0) / num_updates
            ) * args.learning_rate
        observations, actions, rewards, dones = [], [], [], []
        for _ in range(args.num_steps):
            global_step += 1
            with torch.no_grad():
                action = Categorical(logits=agent(torch.from_numpy(seen))).sample()
            observations.append(seen)
            actions.append(action)
            seen, reward, done = env.step(action.item())
            rewards.append(reward)
            dones.append(done)
            episodic_return += reward
            if done:
                wandb.log(
                    {
                        "charts/episodic_return": np.float64(episodic_return),
                        "charts/episodic_length": np.int64(env.moves),
                        "global_step": global_step,
                    }
                )
                episodic_return = 0.0
                seen = env.reset()
        returns, follow = [], 0.0
        for reward, done in zip(reversed(rewards), reversed(dones), strict=True):
            follow = reward + (0.0 if done else args.gamma * follow)
            returns.append(follow)
        returns = torch.tensor(returns[::-1], dtype=torch.float32)
        advantages = (returns - returns.mean()) / (returns.std() + 1e-8)
        policy = Categorical(logits=agent(torch.from_numpy(np.stack(observations))))
        pg_loss = -(policy.log_prob(torch.stack(actions)) * advantages).mean()
        entropy_loss = policy.entropy().mean()
        loss = pg_loss - args.ent_coef * entropy_loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(agent.parameters(), args.max_grad_norm)
        optimizer.step()
        wandb.log(
            {
                "charts/learning_rate": optimizer.param_groups[0]["lr"],
                "losses/policy_loss": pg_loss.item(),
                "losses/entropy": entropy_loss,
                "losses/advantages": advantages.detach().numpy()[:8],
                "global_step": global_step,
            }
        )
    print("SPS:", int(global_step / (time.time() - start_time)))
    wandb.run.summary.update({"args": asdict(args), "solved": bool(rewards)})
    wandb.finish()
