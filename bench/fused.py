"""`fused`: fused layers against XLA's kernels on an accelerator, and what a kernel takes there.

An epoch of 1 trial and of 256 trials on the whole CIFAR-10 is timed with both kinds of kernels, in turn in one process.
Kernels are counted in the compiled program that runs, so the microseconds of a kernel are measured. The model of
`kernels` assumes 3 on a GPU and 1 on a TPU. The last column of a row says how far the gradients of a batch are apart,
as a share of the largest. A loop over trials would take the time of 1 trial for each.

The study is a whole command with its compilation: 7 learning rates x 20 seeds x 10 epochs of `elu`.

Without an accelerator nothing is measured. On a CPU fused layers are interpreted.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.children import Failed, last_words
from bench.hlo import entry_of
from bench.options import Options, say
from bench.rounds import Spread, ratio, spread, turns
from jaxdeep.config import Config
from jaxdeep.config.choices import Kernels
from jaxdeep.data.dataset import Dataset
from jaxdeep.report.layout import fitted

QUESTION: Final = "fused"
CONFIGS: Final = ("selu", "bn", "alpha_dropout")
TRIALS: Final = (1, 256)
KINDS: Final[tuple[Kernels, ...]] = ("xla", "fused")
STUDY: Final = "elu"
"""Network of the study."""
RATES: Final = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
SEEDS: Final = 20
EPOCHS: Final = 10
HEADERS: Final = (
    *("trials", "kernels", "kernels a step", "ms a step", "us a kernel", "time / xla's", "trial-steps/s"),
    "gradients apart",
)


def run(options: Options) -> None:
    """Time every network with both kinds of kernels, then the study. Keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    if options.platform == "cpu":
        say(f"{QUESTION} is left out: there is no accelerator, and a CPU interprets fused layers")
        return
    from experiments.cifar import CONFIGS as RECIPES
    from jaxdeep.data.sources import load_images

    if options.configs is None:  # before this process takes the accelerator's memory
        say(f"{QUESTION}: a study of {STUDY}")
        entry = {"config": STUDY, "trials": len(RATES) * SEEDS, "epochs": EPOCHS, "study_seconds": study_seconds()}
        options.keep(QUESTION, "study", (), {**entry, "rows": []})
        print("\n".join((title(entry), "")), flush=True)
    images = load_images("cifar10")
    for name in options.configs or CONFIGS:
        say(f"{QUESTION} of {name}")
        config = RECIPES[name].config
        data = Dataset.from_images(images, config.data)
        rows = [row for trials in TRIALS for row in timed(config, data, trials, options.rounds)]
        entry = {"config": name, "data": images.name, "synthetic": images.synthetic, "rows": rows}
        options.keep(QUESTION, name, ("--configs", name), entry)
        print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def title(entry: Mapping[str, Any]) -> str:
    """Return the network in words, and the seconds of a study.

    Args:
        entry: Entry of the record.
    """
    if "study_seconds" in entry:
        seconds = f"{entry['study_seconds']:.1f} s with compilation"
        return f"{entry['trials']} trials of {entry['config']}, {entry['epochs']} epochs: {seconds}"
    return f"{entry['config']}{', synthetic data' if entry['synthetic'] else ''}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each number of trials and kind of kernels, the headers first.

    Args:
        entry: Entry of the record.
    """
    rows = []
    for row in entry["rows"]:
        step, of_xla = (
            [seconds / row["steps"] for seconds in one["seconds"]]
            for one in (row, _of_xla(entry["rows"], row["trials"]))
        )
        kernels = row["kernels_a_step"]
        us = None if kernels is None else Spread(*(1e6 * seconds / kernels for seconds in spread(step)))
        rows.append(
            (
                f"{row['trials']:,}",
                row["kernels"],
                "-" if kernels is None else str(kernels),
                f"{Spread(*(1e3 * seconds for seconds in spread(step))):.3f}",
                "-" if us is None else f"{us:.2f}",
                f"{ratio(step, of_xla):.2f}",
                f"{row['trials'] / spread(step).median:,.0f}",
                f"{row['gradients_apart']:.1e}",
            )
        )
    return [HEADERS, *rows]


def timed(config: Config, data: Dataset, trials: int, rounds: int) -> list[dict[str, Any]]:
    """Return the seconds of each epoch with both kinds of kernels, in turn, and what their programs run.

    Args:
        config: Configuration of each trial.
        data: Data set that all trials share.
        trials: Number of trials side by side.
        rounds: Number of timed epochs of each.
    """
    import jax
    import jax.numpy as jnp

    from jaxdeep.train.checks import check_fits
    from jaxdeep.train.programs import compiled, spec_of, traced
    from jaxdeep.train.step import length_of

    check_fits(config, data)
    steps = length_of(config, data).epoch_steps
    found, states, programs = {}, {}, {}
    size = None if trials == 1 else trials
    apart = gradients_apart(config, data)
    for kind in KINDS:
        own = config.updated({"train.kernels": kind})
        hyper, key = traced(own), jax.random.key(42)
        if size is not None:
            hyper = jax.tree.map(lambda number: jnp.broadcast_to(number, (trials,)), hyper)
            key = jax.random.split(key, trials)
        began = time.perf_counter()
        programs[kind] = (compiled(("start", "epoch"), spec_of(own, [data]), size).calls, hyper)
        body = entry_of(programs[kind][0]["epoch"].as_text()).step(steps)
        found[kind] = {
            "trials": trials,
            "kernels": kind,
            "steps": steps,
            "compile_seconds": time.perf_counter() - began,
            "kernels_a_step": None if body is None else body.kernels,
            "gradients_apart": 0.0 if kind == KINDS[0] else apart,
            "seconds": [],
        }
        states[kind] = programs[kind][0]["start"](hyper, data, key)
    for number, kind in turns(KINDS, rounds + 1):
        calls, hyper = programs[kind]
        began = time.perf_counter()
        states[kind], metrics = calls["epoch"](states[kind], hyper, data)
        jax.device_get(metrics)
        if number:  # the first round warms up
            found[kind]["seconds"].append(time.perf_counter() - began)
    return list(found.values())


def gradients_apart(config: Config, data: Dataset) -> float:
    """Return how far the gradients of the first batch are apart with both kinds of kernels.

    Args:
        config: Configuration of the network.
        data: Data set of the batch.

    Returns:
        The largest difference of a leaf as a share of the largest gradient of all leaves.
    """
    import jax
    import jax.numpy as jnp

    from jaxdeep.train.forward import Batch, batch_loss
    from jaxdeep.train.programs import traced
    from jaxdeep.train.step import start

    hyper, batch = traced(config), Batch(jnp.arange(min(config.train.batch_size, data.train.size)))
    state = jax.jit(lambda data: start(config, hyper, data, jax.random.key(0)))(data)

    def gradients(kind: Kernels) -> Any:
        own = config.updated({"train.kernels": kind})

        def loss(params: Any, data: Dataset) -> Any:
            return batch_loss(params, own, state.batch_stats, hyper, data, batch, jax.random.key(1))[0]

        return jax.jit(jax.grad(loss))(state.params, data)

    one, other = map(gradients, KINDS)
    apart = max(float(jnp.abs(a - b).max()) for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True))
    return apart / max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(one))


def study_command(folder: Path) -> Sequence[str]:
    """Return the words of the study's command.

    Args:
        folder: Folder of the study.
    """
    rates = ",".join(map(str, RATES))
    return (
        *(sys.executable, "-m", "experiments.cifar", "--config", STUDY, "--grid", f"optim.learning_rate={rates}"),
        *("--seeds", str(SEEDS), "--train.epochs", str(EPOCHS), "--train.patience", str(EPOCHS)),
        *("--workdir", str(folder)),
    )


def study_seconds() -> float:
    """Return the seconds of the study's command, from its start to its end.

    Raises:
        Failed: The command failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment, began = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "0"}, time.perf_counter()
        done = subprocess.run(
            study_command(Path(folder) / "study"), env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - began
    if done.returncode:
        raise Failed(last_words(done.stderr.splitlines()))
    return seconds


def _of_xla(rows: Sequence[Mapping[str, Any]], trials: int) -> Mapping[str, Any]:
    """Return the row of XLA's kernels with as many trials."""
    return next(row for row in rows if row["trials"] == trials and row["kernels"] == KINDS[0])
