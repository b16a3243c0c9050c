"""``resume``, ``fork_from``, ``resume_from``, ``mark_preempting``: what is taken and refused."""

from __future__ import annotations

from typing import Any

MALFORMED = (
    *("r", "r?", "?_step=1", "r?_step", "r?_step=", "r?_step=x", "r?loss=1", "r?_step=1&a=2"),
    *("r/x?_step=1", "r?_step=1#x", ""),
)


def behaviour_moments(wandb: Any, see: Any) -> Any:
    for text in MALFORMED:
        see(f"fork_from {text!r}", lambda text=text: wandb.Settings(fork_from=text))
        see(f"resume_from {text!r}", lambda text=text: wandb.Settings(resume_from=text))
    see("number", lambda: wandb.Settings(fork_from=3))
    for text in ("r?_step=10", "r?_step=1.5", "a-b_c?_step=0", "r?_step=-1"):
        see(f"parts of {text}", lambda text=text: _parts(wandb.Settings(fork_from=text).fork_from))
    return None


def _parts(moment: Any) -> list[Any]:
    return [moment.run, moment.value, moment.metric]


def behaviour_contradictions(wandb: Any, see: Any) -> Any:
    moment = "r?_step=1"
    see("both", lambda: wandb.init(fork_from=moment, resume_from=moment))
    see("fork and resume", lambda: wandb.init(fork_from=moment, resume="allow"))
    see("rewind and resume", lambda: wandb.init(resume_from=moment, resume="must"))
    see("fork with its id", lambda: wandb.init(fork_from=moment, id="r"))
    see("rewind with another id", lambda: wandb.init(resume_from=moment, id="other"))
    see("malformed", lambda: wandb.init(fork_from="r"))
    see("nothing is open", lambda: wandb.run)
    return None


def behaviour_disabled_branch(wandb: Any, see: Any) -> Any:
    run = wandb.init(mode="disabled", fork_from="r?_step=1")
    see("disabled", lambda: run.disabled)
    return None


def behaviour_preempting(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    run.log({"a": 1})
    see("on the run", lambda: run.mark_preempting())
    see("on the module", lambda: wandb.mark_preempting())
    run.log({"a": 2})
    run.finish(exit_code=1)
    see("after the end", lambda: run.mark_preempting())
    return run


def behaviour_several_at_once(wandb: Any, see: Any) -> Any:
    first = wandb.init(project="p")
    others = [wandb.init(project="p", reinit="create_new") for _ in range(3)]
    see("bound", lambda: wandb.run is first)
    for number, run in enumerate(others):
        for _ in range(number + 1):
            run.log({"x": number})
    see("steps", lambda: [run.step for run in (first, *others)])
    see("open run", lambda: wandb.init() is first)
    first.finish()
    see("after the first", lambda: wandb.run)
    others[0].finish()
    others[1].log({"y": 1})
    see("others go on", lambda: others[1].step)
    others[2].finish()
    others[1].finish()
    return others[1]


def behaviour_attributes(wandb: Any, see: Any) -> Any:
    run = wandb.init(project="p")
    see("starting_step", lambda: run.starting_step)
    see("resumed", lambda: run.resumed)
    see("status", lambda: run.status() is not None)
    see("display", lambda: run.display())
    return run
