"""Accelerators that are described and not there: what a compiler must know of them, and what the model assumes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final


@dataclass(frozen=True)
class Target:
    """An accelerator that a compiler is told of.

    Attributes:
        title: Its name.
        platform: Platform of JAX.
        module: Module whose presence shows that the compiler is installed.
        extra: Extra of pyproject.toml that installs the compiler.
        topology: Name of the described topology.
        pod: Name of a described topology of many chips, or "".
        environment: Environment variables that the compiler needs.
        latency_us: Assumed microseconds from one dependent kernel to the next.
        bandwidth: Bytes a second of its memory.
        peak: Floating-point operations a second at the precision "highest".
        source: Where bandwidth and peak are from.
    """

    title: str
    platform: str
    module: str
    extra: str
    topology: str
    latency_us: float
    bandwidth: float
    peak: float
    source: str
    pod: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


TPU: Final = {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
"""Environment variables with which libtpu describes chips, in several processes at once."""
TARGETS: Final = {
    "h100": Target(
        "NVIDIA H100",
        "cuda",
        "jax_cuda13_plugin",
        "bench-cuda",
        "1x1x1",
        3.0,
        3.35e12,
        67e12,
        "NVIDIA's data sheet of the H100 SXM",
        environment={
            "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
            "XLA_FLAGS": "--xla_gpu_autotune_level=0",
            "JAX_PLATFORMS": "",
        },
    ),
    "v5e": Target(
        "TPU v5e",
        "tpu",
        "libtpu",
        "bench-tpu",
        "v5e:2x2",
        1.0,
        819e9,
        197e12 / 6,
        "Google's page of TPU v5e",
        "v5e:16x16",
        TPU,
    ),
    "v6e": Target(
        "TPU v6e",
        "tpu",
        "libtpu",
        "bench-tpu",
        "v6e:2x2",
        1.0,
        1640e9,
        918e12 / 6,
        "Google's page of TPU v6e",
        "v6e:16x16",
        {**TPU, "TPU_ACCELERATOR_TYPE": "v6e-4"},
    ),
}
"""Accelerators by name. "highest" takes six passes of bfloat16 on a TPU, so a sixth of the peak is taken."""
H100: Final = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 shared_memory_per_core: 233472
  threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128 block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535 block_dim_limit_z: 65535 memory_bandwidth: 3352320000000 l2_cache_size: 52428800
  clock_rate_ghz: 1.98 device_memory_size: 84929347584 shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 } registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 7 }
runtime_version { major: 13 minor: 0 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""
"""Description of an H100 for XLA's compiler."""


def installed() -> list[str]:
    """Return the names of the targets whose compilers are installed here."""
    return [name for name, target in TARGETS.items() if find_spec(target.module) is not None]


def described(target: Target, topology: str | None = None) -> list[Any]:
    """Return devices that are described and not there.

    Args:
        target: Accelerator to describe.
        topology: Name of the topology. None takes the target's.
    """
    from jax._src import xla_bridge
    from jax.experimental import topologies

    topology = topology or target.topology
    if target.platform == "tpu":
        return list(topologies.get_topology_desc(platform="tpu", topology_name=topology).devices)
    found = topologies.get_topology_desc(platform="cuda", target_config=H100, topology=topology)
    named: Any = xla_bridge.canonicalize_platform

    def with_cuda(platform: str) -> str:  # it knows only platforms that have a device (jax issue 23971)
        try:
            return named(platform)
        except RuntimeError:
            return "cuda"

    xla_bridge.canonicalize_platform = with_cuda
    return list(found.devices)
