"""Properties of the machine that do not depend on the run."""

import platform
from pathlib import Path
from threading import Lock
from typing import Final

import jax
from jax.experimental.compilation_cache import compilation_cache

from jaxdeep.data import cache

SECONDS_KEPT: Final = 0.02
"""Seconds of compilation from which on a program is kept on disk. Quicker ones are compiled as fast as read."""
_SWITCHING: Final = Lock()
"""Lock of JAX's settings of the compilation cache."""


def use_compilation_cache() -> None:
    """Keep compiled programs on disk from one process to the next.

    They are kept in `xla` in the cache folder. A folder that the user gave JAX is left as it is. A cache that the user
    switched off stays off. If the folder cannot be made, nothing is kept. JAX may have compiled before.
    """
    with _SWITCHING:  # another thread that compiles meanwhile would see half of the settings
        settings = jax.config.values
        if not settings["jax_enable_compilation_cache"] or settings["jax_compilation_cache_dir"] is not None:
            return
        folder = cache.folder() / "xla"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", SECONDS_KEPT)
        compilation_cache.reset_cache()  # JAX looks for a folder once, at its first compilation


def describe_device() -> str:
    """Return the devices that computations run on in words, such as `2 x cpu` or `1 x NVIDIA H200`."""
    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind}"


def describe_processor() -> str:
    """Return the processor's name, such as `AMD EPYC`.

    The bits of batch normalisation differ between processors.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
