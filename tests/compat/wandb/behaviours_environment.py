"""The ``WANDB_*`` variables. Each behaviour is a script in a process with variables of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

_OPENING = """
import json, os, sys
import {package} as wandb
seen = {{}}
def see(label, look):
    try:
        seen[label] = look()
    except Exception as error:
        seen[label] = sorted({{kind.__name__ for kind in type(error).__mro__}} & {{"ValueError"}})
"""
_CLOSING = """
wandb.finish()
print("SEEN" + json.dumps(seen))
"""


def scripted(wandb: Any, see: Any, body: str, **variables: str) -> Path:
    """Run a script with ``WANDB_*`` variables and note what it has seen; return its folder."""
    folder = Path(f"environment-{len(list(Path().glob('environment-*')))}").absolute()
    folder.mkdir()
    opening = _OPENING.format(package=wandb.__name__)
    result = subprocess.run(
        [sys.executable, "-c", opening + textwrap.dedent(body) + _CLOSING],
        cwd=folder,
        env={**os.environ, **{f"WANDB_{name}": text for name, text in variables.items()}},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("SEEN"))
    for label, value in json.loads(line.removeprefix("SEEN")).items():
        see(label, lambda value=value: value)
    return folder


def behaviour_what_a_run_is_called(wandb: Any, see: Any) -> None:
    body = """
    run = wandb.init()
    for name in ("project", "entity", "name", "id", "group", "job_type", "notes", "path"):
        see(name, lambda: getattr(run, name))
    see("tags", lambda: list(run.tags))
    see("dir", lambda: run.dir.replace(run.settings.timespec, "TIME"))
    see("dir exists", lambda: os.path.isdir(run.dir))
    """
    scripted(
        wandb,
        see,
        body,
        PROJECT="from-env",
        ENTITY="me",
        NAME="named",
        RUN_ID="abc",
        RUN_GROUP="g",
        JOB_TYPE="eval",
        NOTES="noted",
        TAGS="a,b",
        DIR="out",
    )


def behaviour_arguments_come_first(wandb: Any, see: Any) -> None:
    body = """
    run = wandb.init(project="argument", name="argument", group="argument", tags=["t"],
                     settings={"run_notes": "settings"})
    see("facts", lambda: [run.project, run.name, run.group, run.job_type, run.notes])
    see("tags", lambda: list(run.tags))
    """
    scripted(wandb, see, body, PROJECT="p", RUN_NAME="n", RUN_GROUP="g", JOB_TYPE="j", NOTES="x")


def behaviour_it_is_read_once(wandb: Any, see: Any) -> None:
    body = """
    os.environ["WANDB_PROJECT"] = "after import"
    see("after import", lambda: wandb.init().project)
    os.environ.update(WANDB_PROJECT="after init", WANDB_RUN_ID="after-init", WANDB_TAGS="late")
    run = wandb.init(reinit=True)
    see("after init", lambda: [run.project, run.id == "after-init", list(run.tags)])
    wandb.teardown()
    see("after teardown", lambda: wandb.init().project)
    """
    scripted(wandb, see, body, PROJECT="before")


def behaviour_setup_reads_it(wandb: Any, see: Any) -> None:
    body = """
    wandb.setup()
    os.environ["WANDB_PROJECT"] = "after setup"
    see("project", lambda: wandb.init().project)
    """
    scripted(wandb, see, body, PROJECT="before")


def behaviour_settings_by_name(wandb: Any, see: Any) -> None:
    body = """
    run = wandb.init()
    names = ("host username notebook_name program git_commit git_remote_url save_code disable_git "
             "init_timeout x_label sweep_id symlink x_disable_stats email app_url_override "
             "x_stats_sampling_interval base_url docker").split()
    for name in names:
        see(name, lambda: getattr(run.settings, name))
    see("globs", lambda: list(run.settings.ignore_globs))
    see("sweep", lambda: run.sweep_id)
    see("latest-run", lambda: os.path.lexists("wandb/latest-run"))
    """
    scripted(
        wandb,
        see,
        body,
        HOST="h",
        USERNAME="u",
        NOTEBOOK_NAME="n.ipynb",
        PROGRAM="p.py",
        GIT_COMMIT="c",
        GIT_REMOTE_URL="https://example.com/r",
        SAVE_CODE="true",
        DISABLE_GIT="true",
        INIT_TIMEOUT="17",
        X_LABEL="l",
        SWEEP_ID="s",
        SYMLINK="false",
        _DISABLE_STATS="true",
        USER_EMAIL="u@example.com",
        APP_URL="https://example.com",
        X_STATS_SAMPLING_INTERVAL="2.5",
        BASE_URL="https://example.com/api",
        DOCKER="image",
        IGNORE_GLOBS="*.pt,*.bin",
    )


def behaviour_modes(wandb: Any, see: Any) -> None:
    body = """
    run = wandb.init()
    see("disabled", lambda: [run.disabled, isinstance(run, wandb.Run)])
    see("nothing on disk", lambda: os.listdir("."))
    """
    scripted(wandb, see, body, MODE="disabled")


def behaviour_dryrun(wandb: Any, see: Any) -> None:
    body = """
    run = wandb.init()
    see("offline", lambda: [run.offline, run.disabled, run.settings.run_mode])
    """
    scripted(wandb, see, body, MODE="dryrun")


def behaviour_what_is_wrong(wandb: Any, see: Any) -> None:
    body = """
    see("mode", lambda: wandb.init() and None)
    see("run", lambda: wandb.run)
    """
    scripted(wandb, see, body, MODE="sideways")


def behaviour_functions_of_env(wandb: Any, see: Any) -> None:
    body = """
    env = wandb.env
    see("read", lambda: [env.get_project(), env.get_entity("e"), env.get_run(), env.get_dir("d")])
    see("tags", lambda: env.get_tags())
    see("given", lambda: env.get_project(env={"WANDB_PROJECT": "given"}))
    see("switches", lambda: [env.is_offline(), env.is_silent(), env.is_quiet()])
    see("code", lambda: [env.should_save_code(), env.disable_git()])
    env.set_project("set")
    env.set_entity("me")
    see("set", lambda: [env.get_project(), os.environ["WANDB_ENTITY"]])
    see("used", lambda: wandb.init().project)
    names = ("API_KEY MODE PROJECT ENTITY NAME RUN_ID RUN_GROUP JOB_TYPE NOTES TAGS DIR RESUME "
             "SILENT QUIET SAVE_CODE DISABLE_CODE DISABLE_GIT GIT_COMMIT GIT_REMOTE_URL "
             "CONFIG_PATHS SWEEP_ID SWEEP_PARAM_PATH IGNORE CACHE_DIR DATA_DIR CONFIG_DIR "
             "ARTIFACT_DIR INIT_TIMEOUT BASE_URL PROGRAM ARGS HOST USERNAME NOTEBOOK_NAME "
             "SERVICE").split()
    for name in names:
        see(name, lambda: getattr(env, name))
    """
    scripted(wandb, see, body, PROJECT="p", TAGS="a,b", SAVE_CODE="true", DISABLE_GIT="true")


def behaviour_no_code(wandb: Any, see: Any) -> None:
    body = """
    see("code", lambda: wandb.env.should_save_code())
    run = wandb.init()
    see("setting", lambda: run.settings.save_code)
    """
    scripted(wandb, see, body, SAVE_CODE="true", DISABLE_CODE="true")
