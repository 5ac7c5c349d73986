"""Compile jaxdeep's programs for an accelerator that is not there, and count what they run.

    python -m bench.compilers TARGET NETWORK KERNELS

XLA's own compilers need no device, only its description. The process prints one line of JSON. It needs an environment
with the compiler of the target: `pip install -e '.[bench-tpu]'` or `'.[bench-cuda]'`, each in a venv of its own.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final, NamedTuple

from bench.accelerators import TARGETS, Target, described
from bench.hlo import collectives, entry_of
from bench.least import forward_operations, step_bytes, step_operations

ROWS: Final = 2_200
"""Rows of the described data set, test rows included. The number of steps does not change what a step runs."""
VALID_ROWS: Final = 500
TRIALS: Final = (8, 128)
"""Numbers of trials that are compiled side by side."""
SEEDS: Final = 3
SAMPLES: Final = 100
PREDICTED: Final = 1_000
"""Rows that are predicted by a network, by an ensemble and by MC dropout."""
MEMBERS: Final = 8
"""Networks of an ensemble."""
STUDY: Final = 512
"""Trials of the study that is divided among many chips."""


class Subject(NamedTuple):
    """A program to compile.

    Attributes:
        name: Name of the program.
        trials: Number of trials or networks that it computes.
        steps: Number of training steps. None for a program without steps.
        function: Function to compile.
        arguments: Arguments of the function with shapes for leaves.
        donated: Positions of the arguments whose memory the program takes.
        operations: Least floating-point operations of a program without steps. None if it has no matrix products.
        shardings: Placement of each argument on several chips. None for one chip.
        chips: Number of chips.
    """

    name: str
    trials: int
    steps: int | None
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    donated: tuple[int, ...] = ()
    operations: int | None = None
    shardings: Any = None
    chips: int = 1


def programs(config: Any, data: Any) -> Iterator[Subject]:
    """Yield each program of a configuration.

    `predict` is what each network of an ensemble runs, one after the other. `ensemble` is the same function of networks
    side by side, with the moments of their probabilities.

    Args:
        config: Configuration, whose dropout decides whether there is MC dropout.
        data: Data set with the shapes to compile for.
    """
    import jax
    import jax.numpy as jnp

    from jaxdeep.analysis.uncertainty import mc_dropout
    from jaxdeep.data.subsets import unpadded
    from jaxdeep.train import step
    from jaxdeep.train.forward import model_of, probabilities
    from jaxdeep.train.lr_finder import all_losses
    from jaxdeep.train.programs import NAMES, spec_of, traceable

    spec = spec_of(config, [data])
    steps = step.length_of(config, data).epoch_steps
    rows = sum(split.size for split in (data.train, data.valid, data.test))
    for name in NAMES:
        for trials in (1, *TRIALS) if name != "start" else (1,):
            found = traceable(name, spec, None if trials == 1 else trials)
            operations = trials * forward_operations(config, data, rows) if name == "evaluate" else None
            epoch_steps = steps if name == "epoch" else None
            yield Subject(name, trials, epoch_steps, found.function, found.arguments, found.donated, operations)
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), SEEDS))
    rates = jax.ShapeDtypeStruct((steps,), config.train.dtype)
    finder = partial(all_losses, config.static(), 1, True)
    whole = spec_of(config, [unpadded(data)]).data
    yield Subject("lr_finder", SEEDS, steps, finder, (spec.hyper, whole, rates, keys, None))

    predict = partial(probabilities, config.static())
    weights = (spec.state.params, spec.state.batch_stats)
    of_members = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((MEMBERS, *leaf.shape), leaf.dtype), weights)
    stored = jax.ShapeDtypeStruct((PREDICTED, data.inputs), data.train.images.dtype)
    operations = forward_operations(config, data, PREDICTED)
    yield Subject("predict", 1, None, predict, (*weights, spec.data, stored), operations=operations)
    ensemble, arguments = ensemble_of_networks(config.static()), (*of_members, spec.data, stored)
    yield Subject("ensemble", MEMBERS, None, ensemble, arguments, operations=MEMBERS * operations)
    model = model_of(config, data)
    if (first := model.first_dropout) is not None:

        def sampled(params: Any, batch_stats: Any, images: jax.Array, key: jax.Array) -> Any:
            return mc_dropout(model, params, batch_stats, images, key, SAMPLES, dropout_rate=config.model.dropout_rate)

        scaled = jax.ShapeDtypeStruct((PREDICTED, data.inputs), jnp.dtype(config.train.dtype))
        key = jax.eval_shape(jax.random.key, 0)
        operations = forward_operations(config, data, PREDICTED, first, SAMPLES)
        yield Subject("mc_dropout", 1, None, sampled, (*weights, scaled, key), operations=operations)


def ensemble_of_networks(config: Any) -> Callable[..., Any]:
    """Return a function (params, batch_stats, data, rows) that predicts with an ensemble. Weights have networks first.

    Args:
        config: Static configuration of each network.
    """
    import jax

    from jaxdeep.analysis.ensembles import pooled_members
    from jaxdeep.train.forward import probabilities

    predict = jax.vmap(partial(probabilities, config), in_axes=(0, 0, None, None))
    return lambda *arguments: pooled_members(predict(*arguments))


def study(config: Any, data: Any, devices: Sequence[Any]) -> Subject:
    """Return an epoch of a study whose trials are divided among chips.

    Args:
        config: Configuration of each trial.
        data: Data set with the shapes to compile for. All trials share it.
        devices: Chips, whose number divides the number of trials.
    """
    from jaxdeep.train import step
    from jaxdeep.train.programs import mesh_of, spec_of, traceable

    found = traceable("epoch", spec_of(config, [data]), STUDY, mesh=mesh_of(devices))
    return Subject(
        f"epoch of a study of {STUDY} trials on {len(devices)} chips",
        STUDY,
        step.length_of(config, data).epoch_steps,
        found.function,
        found.arguments,
        found.donated,
        shardings=found.shardings,
        chips=len(devices),
    )


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


def measured(target: Target, shape: Sequence[int], config: Any) -> dict[str, Any]:
    """Compile the programs of a configuration and return what each runs.

    Args:
        target: Accelerator to compile for.
        shape: Shape of an image.
        config: Configuration to compile.

    Returns:
        Under `programs` the counts of each program. Under `left_out` the names of programs whose compilation failed,
        with the reason.
    """
    import jax
    from jax.sharding import SingleDeviceSharding

    config, data = small(shape, config)
    options = step_options_of(config, data, target.platform)
    a_step = {"step_bytes": step_bytes(config, data), "step_operations": step_operations(config, data)}
    there = SingleDeviceSharding(described(target)[0])
    subjects = programs(config, data)
    if target.pod:
        subjects = chain(subjects, [study(config, data, described(target, target.pod))])
    found, left_out = [], {}
    for subject in subjects:
        if config.train.kernels == "fused" and subject.steps is None:
            continue
        try:
            found.append(_measured(subject, target.platform, there, a_step, options))
        except jax.errors.JaxRuntimeError as error:  # such as a libtpu whose programs this jaxlib cannot read
            left_out[f"{subject.name} of {subject.trials}"] = str(error).partition("\n")[0]
    return {"programs": found, "left_out": left_out}


def step_options_of(config: Any, data: Any, platform: str) -> Mapping[str, str]:
    """Return the options that jaxdeep compiles an epoch with on a platform.

    Args:
        config: Configuration to compile.
        data: Data set with its shapes.
        platform: Platform of JAX.
    """
    from jaxdeep.nn.platform import traced_for
    from jaxdeep.train.programs import options_of, spec_of

    with traced_for(platform):
        return options_of("epoch", spec_of(config, [data]))


def _measured(
    subject: Subject, platform: str, there: Any, a_step: Mapping[str, int], options: Mapping[str, str]
) -> dict[str, Any]:
    """Compile a program for one chip, or for the chips of its mesh, and return what it runs on a chip."""
    import jax

    from jaxdeep.nn.platform import traced_for

    began = time.perf_counter()
    with traced_for(platform):
        jitted = jax.jit(subject.function, in_shardings=subject.shardings or there, donate_argnums=subject.donated)
        lowered = jitted.trace(*subject.arguments).lower(lowering_platforms=(platform,))
        compiled = lowered.compile(None if subject.steps is None else dict(options))
    seconds = time.perf_counter() - began
    text, memory = compiled.as_text(), compiled.memory_analysis()
    assert text is not None
    assert memory is not None
    entry = entry_of(text)
    body = None if subject.steps is None else entry.step(subject.steps)
    if subject.steps is None:
        moved = int(memory.argument_size_in_bytes + memory.output_size_in_bytes)
        least = {"bytes": moved, "operations": subject.operations}
    else:
        least = {name: subject.trials // subject.chips * value for name, value in a_step.items()}
    return {
        "program": subject.name,
        "trials": subject.trials,
        "chips": subject.chips,
        "kernels": entry.kernels,
        "kernels_a_step": None if body is None else body.kernels,
        "fusions_a_step": None if body is None else body.fusions,
        **least,
        "collectives": collectives(text),
        "temporaries": int(memory.temp_size_in_bytes),
        "arguments": int(memory.argument_size_in_bytes),
        "compile_seconds": seconds,
    }


def main() -> None:
    """Compile for the target and the network on the command line, and print the counts as one line of JSON."""
    from bench.networks import KERNELS

    target, network, kernels = sys.argv[1:]
    shape, config = KERNELS[network]
    config = config.updated({"train.kernels": kernels})
    found = measured(TARGETS[target], shape, config)
    print(json.dumps({**found, "matmul_precision": config.train.matmul_precision}), flush=True)


if __name__ == "__main__":
    main()
