"""The environment variables of W&B by state, for :mod:`quark.compat.wandb.symbols`; without the
``WANDB_`` that all of them begin with."""

from __future__ import annotations

WORKS = """
ARTIFACT_DIR AGENT_DISABLE_FLAPPING AGENT_KILL_DELAY AGENT_MAX_INITIAL_FAILURES SWEEP_PARAM_PATH
ARGS CONFIG_PATHS CONSOLE DIR DISABLE_CODE DISABLE_GIT DISABLED ENTITY GIT_COMMIT GIT_REMOTE_URL
HOST IGNORE_GLOBS JOB_TYPE MODE NAME NOTEBOOK_NAME NOTES PROGRAM PROJECT QUIET RESUME RUN_GROUP
RUN_ID RUN_NAME SAVE_CODE SILENT SWEEP_ID TAGS USERNAME
"""

NO_OP = """
ARTIFACT_FETCH_FILE_URL_BATCH_SIZE
AGENT_REPORT_INTERVAL
ANONYMOUS API_KEY APP_URL BASE_URL CONFIG_DIR CORE_DEBUG CRASH_NOSYNC_TIME CREDENTIALS_FILE DEBUG
DESCRIPTION DOCKER ENABLE_DCGM_PROFILING ERROR_REPORTING FILE_PUSHER_TIMEOUT GIT_ROOT HTTP_TIMEOUT
IDENTITY_TOKEN_FILE INITED INIT_TIMEOUT INSECURE_DISABLE_SSL JUPYTER LAUNCH_QUEUE_ENTITY
LAUNCH_QUEUE_NAME LAUNCH_TRACE_ID MAGIC ORGANIZATION RUN_DIR RUN_STORAGE_ID SERVICE SHOW_RUN
USER_EMAIL X_EXECUTABLE
"""

NOTES = {
    "ARGS": "Kept in `run_metadata.json`, redacted.",
    "CONFIG_PATHS": "Paths separated by commas; W&B 0.31 refuses the variable altogether.",
    "DISABLED": 'Means `mode="disabled"`; W&B 0.31 ignores it.',
    "DIR": "The folder that holds `wandb` and `.quark`; `QUARK_STORAGE_DIR` moves the latter.",
    "IGNORE_GLOBS": "`save` leaves out what they fit.",
    "MODE": "online, offline and shared all keep the run in the local store.",
    "SAVE_CODE": "The script is copied into the run's files, below `code`.",
    "API_KEY": "There is nothing to log in to. It is not kept.",
    "SERVICE": "There is no service process; children attach by the run's id.",
}
