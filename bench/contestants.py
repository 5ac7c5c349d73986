"""The table of contestants, which are jaxdeep and its peers."""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple


class Contestant(NamedTuple):
    """A way to train the workload, or to predict with it.

    Attributes:
        module: Module whose `build(workload, **options)` returns the trainer or the predictor. Or a program.
        packages: Packages that must be installed.
        options: Options of `build`.
        environment: Further environment variables of its process.
        gpu_only: Whether it differs from another contestant on a GPU only.
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
TORCH_COMPILE: Final = TORCH._replace(options={"compile": True})


def _tf32(contestant: Contestant) -> Contestant:
    """Return a contestant whose products are TF32 on a GPU. Without it, the products of every contestant are float32.

    These contestants exist on a GPU only. They were written without one and are not run.
    """
    return contestant._replace(options={**contestant.options, "tf32": True}, gpu_only=True)


def _50(contestant: Contestant) -> Contestant:
    """Return a contestant that runs 50 steps in one call."""
    return contestant._replace(options={"steps_per_execution": 50})


TRAINERS: Final[Mapping[str, Contestant]] = {
    "jaxdeep": JAXDEEP,
    "jaxdeep-tf32": _tf32(JAXDEEP),
    "jaxdeep-study": JAXDEEP._replace(module="bench.peers.study_trainer"),
    "keras-tf": KERAS_TF,
    "keras-tf-tf32": _tf32(KERAS_TF),
    "keras-tf-50": _50(KERAS_TF),
    "keras-tf-50-tf32": _tf32(_50(KERAS_TF)),
    "keras-jax": KERAS_JAX,
    "keras-jax-tf32": _tf32(KERAS_JAX),
    "keras-jax-50": _50(KERAS_JAX),
    "keras-jax-50-tf32": _tf32(_50(KERAS_JAX)),
    "torch": TORCH,
    "torch-tf32": _tf32(TORCH),
    "torch-compile": TORCH_COMPILE,
    "torch-compile-tf32": _tf32(TORCH_COMPILE),
}
"""Name of a contestant that trains -> contestant."""

JAXDEEP_MC: Final = JAXDEEP._replace(module="bench.peers.jaxdeep_predictor")
KERAS_TF_MC: Final = KERAS_TF._replace(module="bench.peers.keras_predictor")
KERAS_JAX_MC: Final = KERAS_JAX._replace(module="bench.peers.keras_predictor")
TORCH_MC: Final = TORCH._replace(module="bench.peers.torch_predictor")
PREDICTORS: Final[Mapping[str, Contestant]] = {
    "jaxdeep-plain": JAXDEEP_MC._replace(options={"dropout": False}),
    "jaxdeep-mc": JAXDEEP_MC,
    "jaxdeep-mc-tf32": _tf32(JAXDEEP_MC),
    "jaxdeep-mc-8": JAXDEEP_MC._replace(options={"mask_bits": 8}),
    "jaxdeep-mc-32": JAXDEEP_MC._replace(options={"mask_bits": 32}),
    "keras-tf-mc": KERAS_TF_MC,
    "keras-tf-mc-tf32": _tf32(KERAS_TF_MC),
    "keras-tf-mc-tensor": KERAS_TF_MC._replace(options={"tensor": True}),
    "keras-jax-mc": KERAS_JAX_MC,
    "keras-jax-mc-tf32": _tf32(KERAS_JAX_MC),
    "torch-mc": TORCH_MC,
    "torch-mc-tf32": _tf32(TORCH_MC),
}
"""Name of a contestant that predicts -> contestant."""

JAXDEEP_TRANSFER: Final = JAXDEEP._replace(module="bench.peers.jaxdeep_transfer")
KERAS_TRANSFER: Final = KERAS_JAX._replace(module="bench.peers.keras_transfer")
TRANSFERS: Final[Mapping[str, Contestant]] = {
    "jaxdeep-cached": JAXDEEP_TRANSFER,
    "jaxdeep-frozen": JAXDEEP_TRANSFER._replace(options={"way": "frozen"}),
    "jaxdeep-all": JAXDEEP_TRANSFER._replace(options={"way": "all"}),
    "keras-jax-cached": KERAS_TRANSFER,
    "keras-jax-frozen": KERAS_TRANSFER._replace(options={"way": "frozen"}),
}
"""Name of a contestant that reuses trained layers -> contestant."""

DIGITS: Final[Mapping[str, Contestant]] = {
    "jaxdeep-digits": JAXDEEP._replace(module="bench.peers.digits", packages=(*JAXDEEP.packages, "sklearn")),
    "sklearn-digits": Contestant("bench.peers.digits", ("sklearn",)),
}
"""Name of a contestant whose whole process is timed on scikit-learn's digits -> contestant."""

CONTESTANTS: Final[Mapping[str, Contestant]] = {**TRAINERS, **PREDICTORS, **TRANSFERS, **DIGITS}
"""Name of a contestant -> contestant."""

SINGLE_RUNS: Final = tuple(name for name in TRAINERS if name != "jaxdeep-study")
"""Names of the contestants that train one network."""


def is_gpu_only(name: str) -> bool:
    """Say whether a contestant differs from another on a GPU only.

    Args:
        name: Name of a contestant or of a command.

    Returns:
        False for every command.
    """
    return name in CONTESTANTS and CONTESTANTS[name].gpu_only


class Contestants(NamedTuple):
    """The contestants on this machine.

    Attributes:
        present: Names of the contestants that can run, in the order of their turns.
        left_out: Name of each other contestant -> reason.
    """

    present: tuple[str, ...]
    left_out: dict[str, str]


def field(names: Sequence[str], platform: str) -> Contestants:
    """Return the named contestants that can run here, and why the others cannot.

    Args:
        names: Names in CONTESTANTS.
        platform: Platform of the device, "cpu" or "gpu".

    Returns:
        Names of the contestants that can run, and a reason for each of the others.
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
    """Return the environment of a timed process, without a cache of compiled programs and with memory as needed.

    Args:
        folder: Temporary folder.
        contestant: Contestant whose environment variables are added. None adds none.

    Returns:
        All environment variables.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION_CACHE")}
    return inherited | {
        "JAX_ENABLE_COMPILATION_CACHE": "0",
        "KERAS_HOME": str(folder / "keras"),  # Keras's defaults, whatever its file in the user's home says
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # several processes share one GPU
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        **(contestant.environment if contestant else {}),
    }
