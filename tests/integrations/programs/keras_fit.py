"""A Keras 3 model on torch, fitted with W&B's callbacks."""

import json

import keras
import numpy as np
import wandb
from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint

keras.utils.set_random_seed(0)
inputs = np.random.normal(size=(96, 4)).astype("float32")
targets = inputs.sum(1, keepdims=True)
run = wandb.init(project="keras", name="dense", config={"units": 8, "lr": 0.02})
config = wandb.config
model = keras.Sequential(
    [keras.layers.Input((4,)), keras.layers.Dense(config.units, "relu"), keras.layers.Dense(1)]
)
model.compile(keras.optimizers.SGD(config.lr), "mse", metrics=["mae"])
history = model.fit(
    inputs,
    targets,
    batch_size=16,
    epochs=4,
    validation_split=0.25,
    callbacks=[
        WandbMetricsLogger(),
        WandbModelCheckpoint("models/best.keras", save_best_only=True),
    ],
    verbose=0,
)
wandb.finish()

batches = wandb.init(project="keras", name="batches")
seen = []
model.fit(
    inputs,
    targets,
    batch_size=32,
    epochs=2,
    callbacks=[
        WandbMetricsLogger(log_freq="batch"),
        keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs: seen.append(logs["loss"])
        ),
    ],
    verbose=0,
)
wandb.finish()

with open("said.json", "w") as file:
    json.dump(
        {
            "history": {key: [float(v) for v in kept] for key, kept in history.history.items()},
            "batches": [float(loss) for loss in seen],
        },
        file,
    )
