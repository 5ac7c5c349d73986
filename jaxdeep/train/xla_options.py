"""XLA's options for jaxdeep's programs, and the one place where they are compiled."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import jax

from jaxdeep.nn.platform import platform
from jaxdeep.train.devices import use_compilation_cache

FAST: Final = {"xla_cpu_prefer_vector_width": "512"}
"""Options of XLA for a CPU with AVX-512.

Element-wise loops take a third less time. Other CPUs use the width that they have.
"""

QUICK_TO_COMPILE: Final = {"xla_backend_optimization_level": "0", "xla_cpu_use_fusion_emitters": "False"}
"""Options of XLA for programs that run once.

They compile in a quarter of the time and give the same bits.
"""

UNSPLIT: Final = {"xla_gpu_experimental_force_split_k": "1"}
"""Options of XLA for a GPU and a step whose products are short.

XLA would divide a product's sum among several kernels' blocks. It pads both factors for that, each by a kernel of its
own.
"""
LONGEST_UNSPLIT: Final = 1_024
"""Longest sum of a product that is not divided. It is an assumption, and was not measured on a GPU."""

OF_A_GPU: Final = "xla_gpu_"
"""How the names of XLA's options for a GPU begin."""
_REFUSED: Final[set[tuple[str, str]]] = set()
"""Options that this version of XLA has refused. They are not tried again."""


def compile_with(lowered: Any, options: Mapping[str, str]) -> Any:
    """Compile a traced program with the compilation cache on.

    All of jaxdeep's own programs are compiled here.

    Args:
        lowered: Program that `jax.jit(...).lower(...)` has traced.
        options: Options of XLA such as FAST. Options that XLA does not know, or that are for another
            platform, are left out.

    Returns:
        The compiled program.
    """
    use_compilation_cache()
    meant = {name: value for name, value in _of_platform(options).items() if (name, value) not in _REFUSED}
    try:
        return lowered.compile(meant)
    except jax.errors.JaxRuntimeError:  # an older or newer XLA may not know an option
        known = known_options(meant)
        if known == meant:
            raise
        _REFUSED.update(meant.items() - known.items())
        return lowered.compile(known)


def step_options(longest: int) -> Mapping[str, str]:
    """Return XLA's options for programs that run often, on the platform that they are traced for.

    Args:
        longest: Longest sum of the program's products.

    Returns:
        Options for a CPU or a GPU by name. Another platform has none.
    """
    match platform():
        case "cpu":
            return FAST
        case "gpu" | "cuda" if longest <= LONGEST_UNSPLIT:
            return UNSPLIT
    return {}


def known_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options that this version of XLA knows.

    Args:
        options: Options of XLA such as QUICK_TO_COMPILE. Those for a CPU are left out on an accelerator.

    Returns:
        The known options by name.
    """
    return {name: value for name, value in _of_platform(options).items() if _is_known(name, value)}


def _of_platform(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options that concern the platform of this process."""
    begins = "" if jax.default_backend() == "cpu" else OF_A_GPU
    return {name: value for name, value in options.items() if name.startswith(begins)}


@cache
def _is_known(name: str, value: str) -> bool:
    """Return whether XLA knows an option. It compiles almost nothing, in 10 ms and once in a process."""
    try:
        jax.jit(lambda: 0).lower().compile({name: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True
