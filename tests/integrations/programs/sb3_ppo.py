"""PPO of stable-baselines3 on CartPole: its TensorBoard log, followed, and W&B's callback."""

import csv
import json
import os

import gymnasium as gym
import wandb
from stable_baselines3 import PPO
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from wandb.integration.sb3 import WandbCallback

config = {"policy_type": "MlpPolicy", "total_timesteps": 256, "env_name": "CartPole-v1"}
run = wandb.init(
    project="sb3",
    config=config,
    sync_tensorboard=True,  # auto-upload sb3's tensorboard metrics
    monitor_gym=True,  # auto-upload the videos of agents playing the game
    save_code=True,  # optional
)
env = Monitor(gym.make(config["env_name"]))
model = PPO(config["policy_type"], env, n_steps=64, batch_size=32, n_epochs=2, seed=0)
model.set_logger(configure(f"runs/{run.id}", ["csv", "tensorboard"]))
model.learn(
    total_timesteps=config["total_timesteps"],
    callback=WandbCallback(
        gradient_save_freq=4, model_save_path=f"models/{run.id}", model_save_freq=100, verbose=2
    ),
)
run.finish()

with open(f"runs/{run.id}/progress.csv") as file:
    rows = list(csv.DictReader(file))
with open("said.json", "w") as file:
    json.dump({"rows": rows, "model_bytes": os.path.getsize(f"models/{run.id}/model.zip")}, file)
