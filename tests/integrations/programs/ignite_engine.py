"""An ignite trainer and evaluator, with handlers of its WandBLogger."""

import json

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import Checkpoint, ModelCheckpoint, global_step_from_engine
from ignite.handlers.wandb_logger import WandBLogger
from ignite.metrics import Loss, MeanSquaredError

torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
criterion = torch.nn.MSELoss()
inputs = torch.randn(80, 4)
rows = torch.utils.data.TensorDataset(inputs, inputs.sum(1, keepdim=True))
train = torch.utils.data.DataLoader(torch.utils.data.Subset(rows, range(64)), batch_size=16)
valid = torch.utils.data.DataLoader(torch.utils.data.Subset(rows, range(64, 80)), batch_size=16)

trainer = create_supervised_trainer(model, optimizer, criterion)
evaluator = create_supervised_evaluator(
    model, metrics={"loss": Loss(criterion), "mse": MeanSquaredError()}
)
said = {"loss": [], "valid": []}


@trainer.on(Events.ITERATION_COMPLETED)
def keep(engine):
    said["loss"].append(engine.state.output)


@trainer.on(Events.EPOCH_COMPLETED)
def evaluate(engine):
    evaluator.run(valid)
    said["valid"].append([engine.state.iteration, evaluator.state.metrics["loss"]])


logger = WandBLogger(project="ignited", name="linear", config={"max_epochs": 3}, tags=["ignite"])
logger.watch(model, log="all", log_freq=4)
logger.attach_output_handler(
    trainer,
    event_name=Events.ITERATION_COMPLETED,
    tag="training",
    output_transform=lambda loss: {"loss": loss},
)
logger.attach_output_handler(
    evaluator,
    event_name=Events.EPOCH_COMPLETED,
    tag="validation",
    metric_names=["loss", "mse"],
    global_step_transform=lambda *_: trainer.state.iteration,
)
logger.attach_opt_params_handler(
    trainer, event_name=Events.ITERATION_STARTED, optimizer=optimizer, param_name="lr"
)
checkpoint = ModelCheckpoint(
    logger.run.dir,
    n_saved=1,
    filename_prefix="best",
    require_empty=False,
    score_function=Checkpoint.get_default_score_fn("loss", -1.0),
    score_name="validation_loss",
    global_step_transform=global_step_from_engine(trainer),
)
evaluator.add_event_handler(Events.COMPLETED, checkpoint, {"model": model})
trainer.run(train, max_epochs=3)
logger.close()

with open("said.json", "w") as file:
    json.dump({**said, "checkpoint": checkpoint.last_checkpoint.name}, file)
