"""Plan the memory of a study for an accelerator that is not there, on paper and by its compiler's own figures.

    python -m bench.study_memory h100 selu 1000

It needs an environment with the compiler of the target, as `bench.compilers` does. Compiled, not run.
"""

import os
import sys
from dataclasses import replace
from typing import Any, Final

from bench.accelerators import TARGETS, Target, described
from bench.compilers import small

ROWS: Final = {"train": 45_000, "valid": 5_000, "test": 10_000}
"""Number of rows of each part of CIFAR-10."""
MEMORY: Final = 80 * 10**9
"""Bytes that a study is planned for."""


def programs_of(config: Any, shape: tuple[int, ...]) -> Any:
    """Return the batched programs of a configuration for as many rows as CIFAR-10 has. Nothing is compiled.

    Args:
        config: Configuration of one trial.
        shape: Shape of an image.
    """
    import jax

    from jaxdeep.data.info import Split
    from jaxdeep.study.batched_memory import BatchedPrograms
    from jaxdeep.train.programs import spec_of

    config, data = small(shape, config)
    parts = {
        name: Split(
            jax.ShapeDtypeStruct((rows, data.inputs), data.train.images.dtype),  # pyright: ignore[reportArgumentType]
            jax.ShapeDtypeStruct((rows,), data.train.labels.dtype),  # pyright: ignore[reportArgumentType]
        )
        for name, rows in ROWS.items()
    }
    return BatchedPrograms(spec_of(config, [replace(data, **parts)]))


def most_on_paper(programs: Any, memory: int) -> int:
    """Return the largest number of trials whose states, moved together, fit the memory.

    Args:
        programs: Batched programs whose shapes are used.
        memory: Bytes that may be used.
    """
    own = programs.argument_bytes(1) - programs.shared_bytes
    return (memory * 2 // 3 - programs.shared_bytes) // own


def compiled_bytes(programs: Any, target: Target, trials: int) -> dict[str, int]:
    """Return the bytes that each program holds while it runs, by the compiler of the target.

    Args:
        programs: Batched programs whose shapes are used.
        target: Accelerator to compile for.
        trials: Number of trials.
    """
    import jax
    from jax.sharding import SingleDeviceSharding

    from jaxdeep.nn.platform import traced_for
    from jaxdeep.train.memory import program_bytes
    from jaxdeep.train.programs import traceable

    there = SingleDeviceSharding(described(target)[0])

    def placed(leaf: Any) -> Any:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=there)

    found = {}
    for name in ("epoch", "evaluate"):
        program = traceable(name, programs.spec, trials)
        with traced_for(target.platform):
            traced = jax.jit(program.function, donate_argnums=program.donated).trace(
                *jax.tree.map(placed, program.arguments)
            )
        found[name] = program_bytes(traced.lower(lowering_platforms=(target.platform,)).compile())
    return found


def main() -> None:
    """Print the plan of a study in gigabytes."""
    name, network, trials = sys.argv[1], sys.argv[2], int(sys.argv[3])
    target = TARGETS[name]
    os.environ.update(target.environment)  # before JAX is imported

    from bench.networks import KERNELS
    from jaxdeep.train.memory import SHARE

    shape, config = KERNELS[network]
    programs = programs_of(config, tuple(shape))
    own = programs.argument_bytes(1) - programs.shared_bytes
    print(f"{network}, {trials:,} trials for {target.title}, compiled and not run")
    print(f"a trial                   {own / 1e6:10.2f} MB")
    print(f"rows that all share       {programs.shared_bytes / 1e6:10.2f} MB")
    print(f"on paper, while moved     {programs.moved_bytes(trials) / 1e9:10.2f} GB")
    found = compiled_bytes(programs, target, trials)
    for program, size in found.items():
        print(f"{f'{program}, by the compiler':25} {size / 1e9:10.2f} GB")
    plan = max(programs.moved_bytes(trials), *found.values())
    print(f"plan                      {plan / 1e9:10.2f} GB of {SHARE * MEMORY / 1e9:.0f} GB")
    print(f"most trials on paper      {most_on_paper(programs, int(SHARE * MEMORY)):10,}")


if __name__ == "__main__":
    main()
