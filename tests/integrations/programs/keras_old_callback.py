"""A Keras 3 model on torch with the callbacks of older scripts: pictures, weights, predictions."""

import json

import keras
import numpy as np
import wandb
from wandb.integration.keras import WandbEvalCallback
from wandb.keras import WandbCallback, WandbMetricsLogger

keras.utils.set_random_seed(0)
pictures = np.random.uniform(size=(48, 6, 6, 1)).astype("float32")
classes = (pictures.mean((1, 2, 3)) > 0.5).astype("int64") + (pictures[:, 0, 0, 0] > 0.9)


class Predictions(WandbEvalCallback):
    def __init__(self, validation_data):
        super().__init__(["idx", "image", "label"], ["epoch", "idx", "label", "pred"])
        self.x, self.y = validation_data

    def add_ground_truth(self, logs=None):
        for idx, (image, label) in enumerate(zip(self.x, self.y)):
            self.data_table.add_data(idx, wandb.Image(image), int(label))

    def add_model_predictions(self, epoch, logs=None):
        preds = self.model.predict(self.x, verbose=0).argmax(-1)
        for idx in self.data_table_ref.get_index():
            row = self.data_table_ref.data[idx]
            self.pred_table.add_data(epoch, row[0], row[2], int(preds[idx]))


model = keras.Sequential(
    [
        keras.layers.Input((6, 6, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(8, "relu"),
        keras.layers.Dense(3, "softmax"),
    ]
)
schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.5)
model.compile(
    keras.optimizers.SGD(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"]
)
run = wandb.init(project="old", name="pictures")
history = model.fit(
    pictures,
    classes,
    batch_size=12,
    epochs=3,
    validation_split=0.25,
    callbacks=[
        WandbCallback(
            monitor="val_loss",
            log_weights=True,
            log_gradients=True,
            validation_data=(pictures, classes),
            labels=["low", "high", "corner"],
            predictions=5,
            data_type="image",
            log_evaluation=True,
            save_weights_only=True,
        ),
        WandbMetricsLogger(log_freq=2, initial_global_step=4),
        Predictions((pictures[:4], classes[:4])),
    ],
    verbose=0,
)
weights = [weight.numpy().sum().item() for weight in model.weights]
guesses = model.predict(pictures[:5], verbose=0).argmax(-1).tolist()
wandb.finish()

with open("said.json", "w") as file:
    json.dump(
        {
            "history": {key: [float(v) for v in kept] for key, kept in history.history.items()},
            "labels": classes[:5].tolist(),
            "guesses": guesses,
            "sizes": [int(np.prod(weight.shape)) for weight in model.weights],
        },
        file,
    )
