"""Compile a study and a data-parallel run for many TPU chips that are not there, and count what they exchange.

    python -m bench.scaling_compilers TARGET NETWORK

The process prints one line of JSON. It needs an environment with the compiler of the target.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.accelerators import TARGETS, Target, described
from bench.compilers import STUDY, Subject, small, step_options_of, study
from bench.hlo import entry_of, exchanged

TOPOLOGIES: Final = {8: "2x4", 64: "8x8", 256: "16x16"}
"""Number of chips -> shape of the slice."""
LARGE_BATCH: Final = 512
"""Rows of a batch that many chips divide."""
PARALLEL: Final = (8, 64)
"""Numbers of chips of a data-parallel run."""
SIDE_BY_SIDE: Final = 128
"""Trials of one chip in the model of a study."""


def measured(target: Target, shape: Sequence[int], config: Any, chips: Sequence[int] = tuple(TOPOLOGIES)) -> Any:
    """Compile the programs for each number of chips.

    Args:
        target: Accelerator to compile for.
        shape: Shape of an image.
        config: Configuration to compile.
        chips: Numbers of chips.

    Returns:
        JSON values of each program.
    """
    found = []
    for count in chips:
        devices = described(target, f"{target.topology.partition(':')[0]}:{TOPOLOGIES[count]}")
        found.append(_largest_study(target, shape, config, devices))
        if count in PARALLEL:
            found.append(_parallel(target, shape, config, devices))
    return found


def _largest_study(target: Target, shape: Sequence[int], config: Any, devices: Sequence[Any]) -> dict[str, Any]:
    """Compile an epoch of a study of STUDY trials, or of half as many until the compiler takes it."""
    import jax

    small_config, data = small(shape, config)
    options = step_options_of(small_config, data, target.platform)
    trials = STUDY
    while True:
        try:
            subject = _of_size(study(small_config, data, devices), small_config, data, devices, trials)
            return _study(subject, target, options)
        except jax.errors.JaxRuntimeError:  # such as too much of a core's memory for one gathering of rows
            if trials <= len(devices):
                raise
            trials //= 2


def _of_size(subject: Subject, config: Any, data: Any, devices: Sequence[Any], trials: int) -> Subject:
    """Return an epoch of a study with another number of trials."""
    from jaxdeep.train.programs import mesh_of, spec_of, traceable

    found = traceable("epoch", spec_of(config, [data]), trials, mesh=mesh_of(devices))
    return subject._replace(
        trials=trials,
        function=found.function,
        arguments=found.arguments,
        donated=found.donated,
        shardings=found.shardings,
    )


def _study(subject: Subject, target: Target, options: Mapping[str, str]) -> dict[str, Any]:
    """Compile an epoch of a study."""
    import jax

    from jaxdeep.nn.platform import traced_for

    began = time.perf_counter()
    with traced_for(target.platform):
        jitted = jax.jit(subject.function, in_shardings=subject.shardings, donate_argnums=subject.donated)
        compiled = jitted.trace(*subject.arguments).lower(lowering_platforms=(target.platform,)).compile(dict(options))
    name = f"a study of {subject.trials} trials"
    return {"program": name, "trials": subject.trials, **_counts(compiled, subject.chips, subject.steps or 1, began)}


def _parallel(target: Target, shape: Sequence[int], config: Any, devices: Sequence[Any]) -> dict[str, Any]:
    """Compile an epoch of one run on all chips."""
    from jaxdeep.config import Trained
    from jaxdeep.nn.platform import traced_for
    from jaxdeep.train import step
    from jaxdeep.train.parallel import Layout, lowered_programs

    config, data = small(shape, config.updated({"train.batch_size": LARGE_BATCH}))
    options = step_options_of(config, data, target.platform)

    def lower(jitted: Any, arguments: Any) -> Any:
        return jitted.trace(*arguments).lower(lowering_platforms=(target.platform,))

    began = time.perf_counter()
    with traced_for(target.platform):
        lowered = lowered_programs(config, data, Trained(), Layout(tuple(devices), False), lower)
        compiled = lowered["epoch"].compile(dict(options))
    steps, name = step.length_of(config, data).epoch_steps, f"one run, batch {LARGE_BATCH}"
    return {"program": name, "trials": 1, **_counts(compiled, len(devices), steps, began)}


def _counts(compiled: Any, chips: int, steps: int, began: float) -> dict[str, Any]:
    """Return what an epoch's program exchanges and holds on a chip."""
    text, memory = compiled.as_text(), compiled.memory_analysis()
    count, moved = exchanged(text)
    body = entry_of(text).step(steps)
    return {
        "chips": chips,
        "steps": steps,
        "collectives": count,
        "exchanged_bytes": moved,
        "kernels_a_step": None if body is None else body.kernels,
        "temporaries": int(memory.temp_size_in_bytes),
        "arguments": int(memory.argument_size_in_bytes),
        "compile_seconds": time.perf_counter() - began,
    }


def main() -> None:
    """Compile for the target and the network on the command line, and print the counts as one line of JSON."""
    from bench.networks import KERNELS

    target, network, *chips = sys.argv[1:]
    shape, config = KERNELS[network]
    print(json.dumps(measured(TARGETS[target], shape, config, list(map(int, chips)) or tuple(TOPOLOGIES))), flush=True)


if __name__ == "__main__":
    main()
