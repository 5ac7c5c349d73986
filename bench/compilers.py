"""Compile jaxdeep's programs for an accelerator that is not there, and count what they run.

    python -m bench.compilers TARGET NETWORK

XLA's own compilers need no device, only its description. The process prints one line of JSON. It needs an environment
with the compiler of the target: `pip install -e '.[bench-tpu]'` or `'.[bench-cuda]'`, each in a venv of its own.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, Final

from bench.hlo import COLLECTIVES, entry_of

ROWS: Final = 2_200
"""Rows of the described data set, test rows included. The number of steps does not change what a step runs."""
VALID_ROWS: Final = 500
TRIALS: Final = (8, 128)
"""Numbers of trials that are compiled side by side."""
SEEDS: Final = 3
SAMPLES: Final = 100
PREDICTED: Final = 1_000
"""Rows that MC dropout predicts."""


@dataclass(frozen=True)
class Target:
    """An accelerator that a compiler is told of.

    Attributes:
        title: Its name.
        platform: Platform of JAX.
        module: Module whose presence shows that the compiler is installed.
        extra: Extra of pyproject.toml that installs the compiler.
        topology: Name of the described topology.
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
    environment: Mapping[str, str] = field(default_factory=dict)


TPU: Final = {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
}
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
        {"JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1", "XLA_FLAGS": "--xla_gpu_autotune_level=0", "JAX_PLATFORMS": ""},
    ),
    "v5e": Target(
        "TPU v5e", "tpu", "libtpu", "bench-tpu", "v5e:2x2", 1.0, 819e9, 197e12 / 6, "Google's page of TPU v5e", TPU
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


def described(target: Target) -> list[Any]:
    """Return devices that are described and not there.

    Args:
        target: Accelerator to describe.
    """
    from jax._src import xla_bridge
    from jax.experimental import topologies

    if target.platform == "tpu":
        return list(topologies.get_topology_desc(platform="tpu", topology_name=target.topology).devices)
    found = topologies.get_topology_desc(platform="cuda", target_config=H100, topology=target.topology)
    named: Any = xla_bridge.canonicalize_platform

    def with_cuda(platform: str) -> str:  # it knows only platforms that have a device (jax issue 23971)
        try:
            return named(platform)
        except RuntimeError:
            return "cuda"

    xla_bridge.canonicalize_platform = with_cuda
    return list(found.devices)


def programs(config: Any, data: Any) -> Iterator[tuple[str, int, int | None, Callable[..., Any], tuple[Any, ...], Any]]:
    """Yield each program of a configuration: name, trials, steps, function, shapes of its arguments, donated arguments.

    Args:
        config: Configuration, whose dropout decides whether there is MC dropout.
        data: Data set with the shapes to compile for.
    """
    import jax
    import jax.numpy as jnp

    from jaxdeep.analysis.uncertainty import mc_dropout
    from jaxdeep.data.subsets import unpadded
    from jaxdeep.train import step
    from jaxdeep.train.forward import model_of
    from jaxdeep.train.lr_finder import all_losses
    from jaxdeep.train.programs import NAMES, spec_of, traceable

    spec = spec_of(config, [data])
    steps = step.length_of(config, data).epoch_steps
    for name in NAMES:
        for trials in (1, *TRIALS) if name != "start" else (1,):
            found = traceable(name, spec, None if trials == 1 else trials)
            yield name, trials, steps if name == "epoch" else None, found.function, found.arguments, found.donated
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), SEEDS))
    rates = jax.ShapeDtypeStruct((steps,), config.train.dtype)
    finder = partial(all_losses, config.static(), 1, True)
    whole = spec_of(config, [unpadded(data)]).data
    yield "lr_finder", SEEDS, steps, finder, (spec.hyper, whole, rates, keys, None), ()
    model = model_of(config, data)
    if model.first_dropout is not None:

        def predict(params: Any, batch_stats: Any, images: jax.Array, key: jax.Array) -> Any:
            return mc_dropout(model, params, batch_stats, images, key, SAMPLES, dropout_rate=config.model.dropout_rate)

        rows = jax.ShapeDtypeStruct((PREDICTED, data.inputs), jnp.dtype(config.train.dtype))
        key = jax.eval_shape(jax.random.key, 0)
        yield "mc_dropout", 1, None, predict, (spec.state.params, spec.state.batch_stats, rows, key), ()


def small(shape: Sequence[int], config: Any) -> tuple[Any, Any]:
    """Return a configuration for few rows, and images of noise that fit it.

    Args:
        shape: Shape of an image.
        config: Configuration of the network.

    Returns:
        The configuration and its data set.
    """
    import numpy as np

    from jaxdeep.data.dataset import Dataset
    from jaxdeep.data.folds import datasets_of_seeds

    images = np.random.default_rng(0).integers(0, 256, (ROWS, *shape), np.uint8)
    labels = np.arange(ROWS) % 10
    config = config.updated({"data.valid_size": VALID_ROWS, "data.train_size": None})
    data = Dataset.from_arrays(images, labels, data=config.data.base())
    (own,) = datasets_of_seeds(data, config.data, (0,)).values()
    return config, own


def step_bytes(config: Any, data: Any) -> int:
    """Return the bytes that a step must move, at least: weights and optimizer's state in and out, and the gradients.

    Args:
        config: Configuration of one trial.
        data: Data set with its shapes.
    """
    from jaxdeep.train.memory import tree_bytes
    from jaxdeep.train.programs import spec_of

    state = spec_of(config, [data]).state
    return 2 * tree_bytes((state.params, state.opt_state)) + 2 * tree_bytes(state.params)


def step_operations(config: Any, data: Any) -> int:
    """Return the floating-point operations of a step's matrix products: forward, by the weights and by the inputs.

    Args:
        config: Configuration of one trial.
        data: Data set with its shapes.
    """
    sizes = [data.inputs, *config.model.units, data.classes]
    products = [inputs * outputs for inputs, outputs in pairwise(sizes)]
    return 2 * config.train.batch_size * (3 * sum(products) - products[0])  # the images have no gradient


def measured(target: Target, shape: Sequence[int], config: Any) -> list[dict[str, Any]]:
    """Compile the programs of a configuration and return what each runs.

    Args:
        target: Accelerator to compile for.
        shape: Shape of an image.
        config: Configuration to compile.
    """
    import jax
    from jax.sharding import SingleDeviceSharding

    config, data = small(shape, config)
    least = {"step_bytes": step_bytes(config, data), "step_operations": step_operations(config, data)}
    there = SingleDeviceSharding(described(target)[0])

    def placed(leaf: Any) -> Any:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=there)

    found = []
    for name, trials, steps, function, arguments, donated in programs(config, data):
        began = time.perf_counter()
        traced = jax.jit(function, donate_argnums=donated).trace(*jax.tree.map(placed, arguments))
        compiled = traced.lower(lowering_platforms=(target.platform,)).compile()
        seconds = time.perf_counter() - began
        text, memory = compiled.as_text(), compiled.memory_analysis()
        assert text is not None
        assert memory is not None
        entry = entry_of(text)
        body = None if steps is None else entry.step(steps)
        found.append(
            {
                "program": name,
                "trials": trials,
                "kernels": entry.kernels,
                "kernels_a_step": None if body is None else body.kernels,
                "fusions_a_step": None if body is None else body.fusions,
                **({name: trials * value for name, value in least.items()} if name == "epoch" else {}),
                "collectives": entry.named(COLLECTIVES),
                "temporaries": int(memory.temp_size_in_bytes),
                "arguments": int(memory.argument_size_in_bytes),
                "compile_seconds": seconds,
            }
        )
    return found


def main() -> None:
    """Compile for the target and the network on the command line, and print the counts as one line of JSON."""
    from bench.networks import KERNELS

    target, network = sys.argv[1:]
    shape, config = KERNELS[network]
    found = {"programs": measured(TARGETS[target], shape, config), "matmul_precision": config.train.matmul_precision}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
