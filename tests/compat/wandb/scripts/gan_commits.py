"""Rows put together over several calls, empty ones, nested losses, and a row that stays open."""

import wandb

nlp_config = {
    "training": {"dropout": 0.1, "optimizer": {"@optimizers": "Adam.v1", "learn_rate": 0.001}},
    "nlp": {"lang": "en", "pipeline": ["tok2vec", "ner"]},
}


def walk(d, prefix=""):
    for k, v in d.items():
        if isinstance(v, dict):
            yield from walk(v, prefix + k + ".")
        else:
            yield prefix + k, v


run = wandb.init(project="gan", name="commits", config=dict(walk(nlp_config)), reinit=True)
for i in range(3):
    run.log({"score": 0.1 * i})
    run.log({f"loss_{k}": v for k, v in {"ner": 10.0 / (i + 1), "tok2vec": 3.0}.items()})
    run.log({"ents_f": 0.2 * i, "ents_per_type": {"ORG": {"p": 0.1, "r": 0.2}}})
for it in range(5):
    wandb.log({"d_loss": it}, commit=False)
    wandb.log({"g_loss": it * 2}, commit=False)
    wandb.log({})
wandb.log({"x": 1}, step=50)
wandb.log({"x": 2}, step=50)
wandb.log({"y": 1})
wandb.log({"x": 3}, step=60, commit=False)
wandb.log({"z": 1}, commit=True)
wandb.log({"last": 1}, commit=False)
wandb.join()
