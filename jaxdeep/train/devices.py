"""What depends on the machine and not on the run."""

import platform
from pathlib import Path

import jax

from jaxdeep.data import cache


def use_compilation_cache() -> None:
    """Keep compiled programs on disk, in the cache folder, from one process to the next.

    A folder that the user gave JAX is left as it is.
    """
    if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", str(cache.folder() / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def describe_device() -> str:
    """The device that computations run on, in words, such as `2 x cpu` or `1 x NVIDIA H200`."""
    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind}"


def describe_processor() -> str:
    """Return the processor's name, such as `AMD EPYC`: the bits of batch normalisation differ between processors."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
