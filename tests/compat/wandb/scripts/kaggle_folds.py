"""A run for each fold, with the whole of a class as config and the last one never finished."""

import numpy as np
import wandb

try:
    from kaggle_secrets import UserSecretsClient

    wandb.login(key=UserSecretsClient().get_secret("wandb_api"))
    anony = None
except:  # noqa: E722 - as written in a thousand kernels
    anony = "must"
    print("If you want to use your W&B account, go to Add-ons -> Secrets")


class CFG:
    seed = 42
    model_name = "tf_efficientnet_b0"
    n_fold = 3
    trn_fold = (0, 1, 2)
    lr = 1e-4
    scheduler = "CosineAnnealingLR"


def class2dict(f):
    return {name: getattr(f, name) for name in dir(f) if not name.startswith("__")}


for fold in CFG.trn_fold:
    run = wandb.init(
        project="PetFinder-Public",
        name=f"{CFG.model_name}-fold{fold}",
        config=class2dict(CFG),
        group=CFG.model_name,
        job_type="train",
        anonymous=anony,
        reinit=True,
    )
    for epoch in range(2):
        wandb.log(
            {
                f"[fold{fold}] epoch": epoch + 1,
                f"[fold{fold}] avg_train_loss": np.float32(0.5) / (epoch + 1),
                f"[fold{fold}] score": np.mean([0.1 * fold, epoch]),
            }
        )
    run.summary["best_rmse"] = 17.9 + fold
    wandb.run.summary["fold"] = np.int64(fold)
    if fold < 2:
        wandb.finish()
