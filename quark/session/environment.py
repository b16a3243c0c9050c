"""Where a run happens: interpreter, machine, launcher, selected variables, installed packages.

Everything here is read before training starts, so it is read cheaply: no package is imported and
no process started. Versions come from the names of ``.dist-info`` folders, which the packaging
standard fixes; ``importlib.metadata`` would say the same, but its import alone takes longer than
all of this. Secrets are taken out before anything is returned.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.redact import redact_argv, redact_environment, redact_text
from quark.settings import distributed_rank, environment, world_size

#: Variables that change how training behaves. A name that ends in ``_`` is a prefix.
TRAINING_VARIABLES = (
    *(
        "CUBLAS_",
        "CUDA_",
        "CUDNN_",
        "NCCL_",
        "NVIDIA_",
        "HIP_",
        "ROCR_",
        "MIOPEN_",
        "ROCM_",
        "XLA_",
    ),
    *("SLURM_", "OMPI_", "PMI_", "JSM_", "TORCHELASTIC_", "GLOO_", "UCX_", "FI_", "KUBERNETES_"),
    *("OMP_", "MKL_", "OPENBLAS_", "KMP_", "NUMEXPR_", "PYTORCH_", "TORCH_", "TORCHINDUCTOR_"),
    *("TRITON_", "JAX_", "TF_", "KERAS_", "HF_", "TRANSFORMERS_", "ACCELERATE_", "DEEPSPEED_"),
    *("DS_", "VLLM_", "RAY_", "QUARK_", "WANDB_", "TOKENIZERS_PARALLELISM", "PYTHONHASHSEED"),
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
    *("MASTER_ADDR", "MASTER_PORT", "CONDA_DEFAULT_ENV", "VIRTUAL_ENV", "LD_LIBRARY_PATH"),
    *("LD_PRELOAD", "PYTHONPATH", "TMPDIR", "TZ"),
)
_PREFIXES = tuple(name for name in TRAINING_VARIABLES if name.endswith("_"))
_NAMES = frozenset(TRAINING_VARIABLES) - frozenset(_PREFIXES)

#: What a model is trained with, as distributions are called.
TRAINING_PACKAGES = frozenset(
    name
    for line in (
        "torch torchvision torchaudio torchdata torchmetrics triton lightning pytorch-lightning",
        "pytorch-ignite fastai composer accelerate deepspeed fairscale megatron-core apex",
        "transformers tokenizers datasets evaluate safetensors huggingface-hub peft trl ms-swift",
        "unsloth axolotl bitsandbytes flash-attn xformers transformer-engine vllm sglang",
        "diffusers timm open-clip-torch sentence-transformers ultralytics mmengine detectron2",
        "liger-kernel torch-geometric dgl monai jax jaxlib flax optax orbax-checkpoint equinox",
        "tensorflow keras tf-keras numpy scipy pandas polars pyarrow scikit-learn",
        "xgboost lightgbm catboost gymnasium stable-baselines3 ray optuna hydra-core omegaconf",
        "webdataset mosaicml-streaming nvidia-cublas-cu12 nvidia-cuda-runtime-cu12",
        "nvidia-cudnn-cu12 nvidia-nccl-cu12 wandb mlflow tensorboard quark-observe",
    )
    for name in line.split()
)
_SLURM_NAMES = (
    *("JOB_ID", "JOB_NAME", "JOB_PARTITION", "JOB_NODELIST", "JOB_NUM_NODES", "NTASKS"),
    *("PROCID", "NODEID", "ARRAY_JOB_ID", "ARRAY_TASK_ID", "RESTART_COUNT"),
)
_NOT_IN_NAMES = re.compile(r"[-_.]+")


def capture_runtime() -> dict[str, Any]:
    """Return the interpreter, the machine, and the variables that change how training behaves."""
    system = os.uname()
    return {
        "python": {
            "version": sys.version.partition(" ")[0],
            "build": sys.version,
            "implementation": sys.implementation.name,
            "executable": sys.executable,
            "prefix": sys.prefix,
        },
        "platform": {
            "system": system.sysname,
            "release": system.release,
            "version": system.version,
            "machine": system.machine,
        },
        "hostname": system.nodename,
        "cpu_count": os.cpu_count(),
        "usable_cpu_count": _usable_cpu_count(),
        "environment": training_variables(),
    }


def training_variables() -> dict[str, str]:
    """Return the environment variables in :data:`TRAINING_VARIABLES`, redacted."""
    variables = environment(_PREFIXES) | {
        name: value for name, value in environment(tuple(_NAMES)).items() if name in _NAMES
    }
    return redact_environment(variables)


def package_origins() -> dict[str, dict[str, Any]]:
    """Return the training packages that are installed: their version, and for those that were
    installed from a folder, an archive or a repository, that and its commit (PEP 610)."""
    return {
        name: {"version": version, **_direct_origin(folder)}
        for name, version, folder in _installed()
    }


def capture_launcher() -> dict[str, Any]:
    """Return how this process was started, redacted, and its place among those beside it."""
    program = program_path()
    return {
        "program": redact_text(program) if program else None,
        "argv": redact_argv(sys.argv),
        "command": redact_argv(sys.orig_argv),
        "cwd": _working_directory(),
        "pid": os.getpid(),
        "rank": distributed_rank(),
        "world_size": world_size(),
        "slurm": _slurm_job(),
    }


def program_path() -> str | None:
    """Return the absolute path of the script that runs, or None (a notebook, a prompt)."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.abspath(path) if path else None


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def _usable_cpu_count() -> int | None:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count()


def _slurm_job() -> dict[str, str] | None:
    variables = environment(("SLURM_",))
    if "SLURM_JOB_ID" not in variables:
        return None
    found = {name.lower(): variables.get(f"SLURM_{name}") for name in _SLURM_NAMES}
    return {name: value for name, value in found.items() if value is not None}


def _installed() -> Iterator[tuple[str, str, Path]]:
    """Yield name, version and ``.dist-info`` folder of what is installed, by name; of two with
    one name that which ``import`` would find."""
    found: dict[str, tuple[str, Path]] = {}
    for entry in dict.fromkeys(sys.path):
        try:
            with os.scandir(entry or os.curdir) as files:
                folders = [file.path for file in files if file.name.endswith(".dist-info")]
        except OSError:
            continue
        for folder in map(Path, folders):
            name, _, version = folder.name.removesuffix(".dist-info").partition("-")
            normal = _NOT_IN_NAMES.sub("-", name).lower()
            if version and normal in TRAINING_PACKAGES:
                found.setdefault(normal, (version, folder))
    for name, (version, folder) in sorted(found.items()):
        yield name, version, folder


def _direct_origin(folder: Path) -> dict[str, Any]:
    try:
        origin = jsonio.loads((folder / "direct_url.json").read_bytes())
    except (OSError, SchemaValidationError):
        return {}
    if not isinstance(origin, dict):
        return {}
    repository = origin.get("vcs_info") or {}
    found = {
        "url": redact_text(str(origin.get("url", ""))),
        "commit": repository.get("commit_id"),
        "requested_revision": repository.get("requested_revision"),
        "editable": (origin.get("dir_info") or {}).get("editable", False) or None,
    }
    return {name: value for name, value in found.items() if value}
