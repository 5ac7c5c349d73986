"""What depends on the machine and not on the run."""

import platform
from pathlib import Path
from threading import Lock
from typing import Final

import jax
from jax.experimental.compilation_cache import compilation_cache

from jaxdeep.data import cache

_SWITCHING: Final = Lock()


def use_compilation_cache() -> None:
    """Keep compiled programs on disk, in the cache folder, from one process to the next.

    A folder that the user gave JAX is left as it is, and so is a cache that she switched off. Without a folder that can
    be written to, nothing is kept. JAX may have compiled before.
    """
    with _SWITCHING:  # a program that another thread compiles meanwhile would find half of it
        settings = jax.config.values
        if not settings["jax_enable_compilation_cache"] or settings["jax_compilation_cache_dir"] is not None:
            return
        folder = cache.folder() / "xla"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
        compilation_cache.reset_cache()  # JAX looks for a folder once, at its first compilation


def describe_device() -> str:
    """Return the device that computations run on, in words, such as `2 x cpu` or `1 x NVIDIA H200`."""
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
