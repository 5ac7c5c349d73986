"""Who takes part: jaxdeep and its peers, in one table."""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple


class Contestant(NamedTuple):
    """A way to train the workload, or to predict with it.

    Attributes:
        module: whose `build(workload, **options)` gives the trainer or the predictor.
        packages: that must be installed.
        options: of `build`.
        environment: of its process.
        gpu_only: whether it differs from another contestant on a GPU only.
    """

    module: str
    packages: tuple[str, ...]
    options: Mapping[str, Any] = {}
    environment: Mapping[str, str] = {}
    gpu_only: bool = False


JAXDEEP: Final = Contestant("bench.peers.jaxdeep_trainer", ("jax", "flax", "optax"))
KERAS_TF: Final = Contestant(
    "bench.peers.keras_trainer", ("keras", "tensorflow"), environment={"KERAS_BACKEND": "tensorflow"}
)
KERAS_JAX: Final = Contestant("bench.peers.keras_trainer", ("keras", "jax"), environment={"KERAS_BACKEND": "jax"})
TORCH: Final = Contestant("bench.peers.torch_trainer", ("torch",))


def _float32(contestant: Contestant) -> Contestant:
    """On a GPU, JAX's products of float32 matrices are TF32 unless it is told otherwise."""
    environment = {**contestant.environment, "JAX_DEFAULT_MATMUL_PRECISION": "highest"}
    return contestant._replace(environment=environment, gpu_only=True)


def _50(contestant: Contestant) -> Contestant:
    return contestant._replace(options={"steps_per_execution": 50})


TRAINERS: Final[Mapping[str, Contestant]] = {
    "jaxdeep": JAXDEEP,
    "jaxdeep-float32": _float32(JAXDEEP),
    "jaxdeep-study": JAXDEEP._replace(module="bench.peers.study_trainer"),
    "keras-tf": KERAS_TF,
    "keras-tf-50": _50(KERAS_TF),
    "keras-jax": KERAS_JAX,
    "keras-jax-float32": _float32(KERAS_JAX),
    "keras-jax-50": _50(KERAS_JAX),
    "keras-jax-50-float32": _float32(_50(KERAS_JAX)),
    "torch": TORCH,
    "torch-compile": TORCH._replace(options={"compile": True}),
}

JAXDEEP_MC: Final = JAXDEEP._replace(module="bench.peers.jaxdeep_predictor")
PREDICTORS: Final[Mapping[str, Contestant]] = {
    "jaxdeep-plain": JAXDEEP_MC._replace(options={"dropout": False}),
    "jaxdeep-mc": JAXDEEP_MC,
    "jaxdeep-mc-8": JAXDEEP_MC._replace(options={"mask_bits": 8}),
    "jaxdeep-mc-32": JAXDEEP_MC._replace(options={"mask_bits": 32}),
    "keras-tf-mc": KERAS_TF._replace(module="bench.peers.keras_predictor"),
    "keras-tf-mc-tensor": KERAS_TF._replace(module="bench.peers.keras_predictor", options={"tensor": True}),
    "keras-jax-mc": KERAS_JAX._replace(module="bench.peers.keras_predictor"),
    "torch-mc": TORCH._replace(module="bench.peers.torch_predictor"),
}

CONTESTANTS: Final[Mapping[str, Contestant]] = {**TRAINERS, **PREDICTORS}

SINGLE_RUNS: Final = tuple(name for name in TRAINERS if name != "jaxdeep-study")
"""Those that train one network."""


def is_gpu_only(name: str) -> bool:
    """Whether a contestant differs from another one on a GPU only; a whole command does not."""
    return name in CONTESTANTS and CONTESTANTS[name].gpu_only


class Contestants(NamedTuple):
    """Who takes part on this machine.

    Attributes:
        present: names, in the order of their turns.
        left_out: the others' names, each with the reason.
    """

    present: tuple[str, ...]
    left_out: dict[str, str]


def field(names: Sequence[str], platform: str) -> Contestants:
    """Those of the named contestants that can run here; a line on stderr for each that cannot is the caller's.

    Args:
        names: of CONTESTANTS.
        platform: "cpu" or "gpu".
    """
    left_out = {}
    for name in names:
        contestant = CONTESTANTS[name]
        missing = [package for package in contestant.packages if importlib.util.find_spec(package) is None]
        if missing:
            left_out[name] = f"{', '.join(missing)} is not installed"
        elif contestant.gpu_only and platform == "cpu":
            left_out[name] = "products are float32 on a CPU in any case"
    return Contestants(tuple(name for name in names if name not in left_out), left_out)


def clean_environment(folder: Path, contestant: Contestant | None = None) -> dict[str, str]:
    """The environment of a process that is timed: no cache of compiled programs, memory as needed.

    Args:
        folder: temporary.
        contestant: whose process it is.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION_CACHE")}
    return inherited | {
        "JAX_ENABLE_COMPILATION_CACHE": "0",
        "KERAS_HOME": str(folder / "keras"),  # Keras as it comes, whatever its file in the user's home says
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # several processes share one GPU
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        **(contestant.environment if contestant else {}),
    }
