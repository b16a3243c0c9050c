"""Environments that record videos: gymnasium's own recorder, and the one of stable-baselines3."""

import gymnasium as gym
import numpy as np
import wandb
from stable_baselines3.common.vec_env import DummyVecEnv, VecVideoRecorder


class Square(gym.Env):
    """A square that moves to the right for ten steps."""

    observation_space = gym.spaces.Box(0, 1, (1,))
    action_space = gym.spaces.Discrete(2)

    def __init__(self, render_mode=None):
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
        self.render_mode = render_mode
        self.place = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 0
        return np.zeros(1, "float32"), {}

    def step(self, action):
        self.place += 1
        return np.ones(1, "float32"), 1.0, self.place >= 10, False, {}

    def render(self):
        picture = np.zeros((32, 64, 3), "uint8")
        picture[8:24, 4 * self.place : 4 * self.place + 16] = 255
        return picture


gym.register("Square-v0", Square)
run = wandb.init(project="videos", monitor_gym=True)
env = gym.make("Square-v0", render_mode="rgb_array")
env = gym.wrappers.RecordVideo(env, "videos", episode_trigger=lambda episode: episode < 2)
for episode in range(3):
    env.reset(seed=episode)
    ended = False
    while not ended:
        _, reward, terminated, truncated, _ = env.step(0)
        ended = terminated or truncated
    wandb.log({"episode": episode})
env.close()

several = DummyVecEnv([lambda: gym.make("Square-v0", render_mode="rgb_array")])
several = VecVideoRecorder(several, "recorded", lambda step: step == 0, video_length=5)
several.reset()
for _ in range(8):
    several.step([0])
several.close()
wandb.log({"done": 1})
wandb.finish()
