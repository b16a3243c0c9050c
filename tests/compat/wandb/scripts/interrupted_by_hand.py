"""Control-C in the loop, caught by the script, which says how it ended."""

import os
import signal
import time

import wandb

run = wandb.init(project="exits", name="interrupted", notes="by hand", tags=["debug"])
try:
    for i in range(1000):
        wandb.log({"i": i})
        if i == 5:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
except KeyboardInterrupt:
    wandb.run.summary["stopped at"] = i
finally:
    wandb.finish(exit_code=1)
