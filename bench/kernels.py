"""`kernels`: what an accelerator would run, said by XLA's own compilers. Compiled, not run.

Every program is compiled for an H100 or a TPU that is described and not there. A kernel is an operation of the
optimised program. The next one waits for it. Fusions and custom calls are counted apart, as a TPU runs scalars and
copies beside them. Matrix products have the precision of `train.matmul_precision`, "highest" by
default. The data set is small, which changes no count of a
step.

Bytes and operations are least counts: of a step, or of the whole program if it has no steps. A step reads and writes
the weights and the optimizer's state. A program without steps reads its arguments and writes its results. Only matrix
products count as operations. A study on many chips is counted on one of its chips.

The last column is a model, and no measurement: kernels times an assumed latency (3 us on a GPU, 1 us on a TPU), plus
the larger of two times. One is that of the bytes that a step must move, at the data sheet's bandwidth. The other is
that of its matrix products, at the data sheet's peak.
"""

import math
import os
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

from bench.accelerators import TARGETS, Target, installed
from bench.children import Child, Failed
from bench.networks import KERNELS
from bench.options import Options, say
from jaxdeep.config.choices import Kernels
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import dnn
from jaxdeep.nn.fused import why_not
from jaxdeep.report.layout import fitted

QUESTION: Final = "kernels"
CONFIGS: Final = ("selu", "alpha_dropout", "bn", "fashion_mnist/dropout")
SECONDS_TO_COMPILE: Final = 3600.0
HEADERS: Final = (
    *("program", "trials", "kernels a step", "fusions a step", "kernels in all"),
    *("least bytes, MB", "least operations, M", "temporaries, MB", "compilation, s", "model of a step, us"),
)


def run(options: Options) -> None:
    """Compile every network for each accelerator whose compiler is installed, keep an entry and print a table of each.

    Args:
        options: Options of the bench.

    Raises:
        UserError: No compiler is installed, and no other question was asked.
    """
    if not (names := installed()):
        extras = ", ".join(sorted({target.extra for target in TARGETS.values()}))
        missing = f"no compiler of an accelerator is installed. Install one of the extras {extras} first."
        if options.questions == (QUESTION,):
            raise UserError(missing)
        say(f"{QUESTION} is left out: {missing}")
        return
    for config in options.configs or CONFIGS:
        for name, kernels in product(names, kernels_of(config)):
            say(f"{QUESTION} of {config} for {name}, {kernels}")
            try:
                found = compiled(TARGETS[name], name, config, kernels)
            except Failed as error:
                say(f"{config} is left out for {name}: {error}")
                continue
            target = TARGETS[name]
            assumed = {key: getattr(target, key) for key in ("latency_us", "bandwidth", "peak", "source")}
            entry = {"config": config, "target": target.title, "kernels": kernels, "assumed": assumed, **found}
            key = f"{config},{name}" if kernels == "xla" else f"{config},{name},{kernels}"
            options.keep(QUESTION, key, ("--configs", config), entry)
            print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)
            for program, reason in entry["left_out"].items():
                say(f"{program} is left out for {name}: {reason}")


def kernels_of(config: str) -> Sequence[Kernels]:
    """Return how the hidden layers of a network can run: by XLA's kernels, and fused if two layers are equal.

    Args:
        config: Name of the network.
    """
    shape, recipe = KERNELS[config]
    stacks = dnn(recipe.network, math.prod(shape), 10).stacks
    has_stack = any(
        stack.length > 1 and why_not(stack.block, recipe.train.batch_size, True) is None for stack in stacks
    )
    return ("xla", "fused") if has_stack else ("xla",)


def compiled(target: Target, name: str, config: str, kernels: Kernels) -> dict[str, Any]:
    """Return what the programs of a network run, from a process with the compiler's environment.

    Args:
        target: Accelerator to compile for.
        name: Its name in TARGETS.
        config: Name of the network.
        kernels: How equal hidden layers run. Of fused layers only the programs that train are compiled.

    Raises:
        Failed: The compiler refused a program.
    """
    environment = {key: value for key, value in {**os.environ, **target.environment}.items() if value}
    environment["JAX_ENABLE_COMPILATION_CACHE"] = "0"
    with Child("bench.compilers", name, config, kernels, environment=environment) as child:
        return child.answer(SECONDS_TO_COMPILE)


def title(entry: Mapping[str, Any]) -> str:
    """Return in words what an entry counted.

    Args:
        entry: Entry of the record.
    """
    fused = ", fused," if entry.get("kernels") == "fused" else ""
    return f"{entry['config']}{fused} for {entry['target']}, compiled and not run"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each program, the headers first.

    Args:
        entry: Entry of the record.
    """
    return [HEADERS, *(_row(program, entry["assumed"]) for program in entry["programs"])]


def model_us(program: Mapping[str, Any], assumed: Mapping[str, Any]) -> float | None:
    """Return the modelled microseconds of a step. None for a program without steps of training.

    Args:
        program: Counts of an epoch's program.
        assumed: Latency, bandwidth and peak of the accelerator.
    """
    if "step_bytes" not in program or program["kernels_a_step"] is None:
        return None
    moved, computed = program["step_bytes"] / assumed["bandwidth"], program["step_operations"] / assumed["peak"]
    return program["kernels_a_step"] * assumed["latency_us"] + 1e6 * max(moved, computed)


def _row(program: Mapping[str, Any], assumed: Mapping[str, Any]) -> tuple[str, ...]:
    model = model_us(program, assumed)
    return (
        program["program"],
        str(program["trials"]),
        *(str(program[name] if program[name] is not None else "-") for name in ("kernels_a_step", "fusions_a_step")),
        f"{program['kernels']:,}",
        _millions(program, "bytes"),
        _millions(program, "operations"),
        f"{program['temporaries'] / 1e6:.1f}",
        f"{program['compile_seconds']:.1f}",
        "-" if model is None else f"{model:,.0f}",
    )


def _millions(program: Mapping[str, Any], name: str) -> str:
    """Return a count of a step, or of the whole program if it has no steps. Early entries lack some counts."""
    count = program.get(f"step_{name}", program.get(name))
    return "-" if count is None else f"{count / 1e6:,.1f}"
