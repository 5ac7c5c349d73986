"""What serves fast: accuracy, latency and size of networks that the chapter names for low latency."""

from collections.abc import Mapping
from typing import Any, Final

import jax.numpy as jnp

from experiments.compress.sparse import BASE, Study
from experiments.compress.timing import latencies
from experiments.record import estimate
from jaxdeep.compress import fold_batch_norm, npz_bytes, quantize, weight_bytes
from jaxdeep.compress.quantizing import Kind, QuantizedNetwork, server
from jaxdeep.config import Config
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.run import Run

DENSE: Final = "ELU"
TRAINED: Final[Mapping[str, dict[str, Any]]] = {
    DENSE: {},
    "ReLU": {"model.activation": "relu"},
    "leaky ReLU": {"model.activation": "leaky_relu"},
    "SELU": {"model.activation": "selu", "model.kernel_init": "lecun_normal"},
    "Swish": {"model.activation": "swish"},
    "one hidden layer": {"model.units": (300,)},
    "BN": {"model.batch_norm": True},
}
"""Networks that are trained, with their changes of the dense ELU network."""
FOLDED: Final = "BN folded"
KINDS: Final[tuple[Kind, ...]] = ("bfloat16", "float16", "int8")
"""Types of the dense network's weights."""
BATCHES: Final = (1, 32, 1_000)
ROUNDS, QUICK_ROUNDS = 31, 3
"""Rounds of timing."""


def run_serve(study: Study) -> dict[str, Any]:
    """Train all networks that are missing, time the first seed's networks, and return the rows as JSON values.

    Args:
        study: Study to finish. Its runs are kept in its folder.

    Returns:
        A row for each network.
    """
    changes = {name: of for name, of in TRAINED.items() if not study.settings.quick or name in (DENSE, "BN")}
    configs: dict[str, Config] = {name: study.settings.config(BASE.updated(of)) for name, of in changes.items()}
    trials = [Trial(config, seed, changes[name]) for name, config in configs.items() for seed in study.seeds]
    kept = study.folder / "checkpoints"
    runs = fit_all(trials, study.data, checkpoints=lambda trial: kept / trial.name)
    networks: dict[str, dict[int, Run | QuantizedNetwork]] = {name: {} for name in (*configs, FOLDED, *KINDS)}
    names = [name for name in configs for _ in study.seeds]
    for name, run in zip(names, runs, strict=True):
        if run.best_epoch:
            networks[name][run.seed] = run
            if name == "BN":
                networks[FOLDED][run.seed] = fold_batch_norm(run)
            for kind in KINDS if name == DENSE else ():
                networks[kind][run.seed] = quantize(run, kind)
    times = _times(study, networks)
    dense = networks[DENSE]
    return {"networks": {name: _row(of, dense, times.get(name)) for name, of in networks.items() if of}}


def _times(study: Study, networks: Mapping[str, Mapping[int, Run | QuantizedNetwork]]) -> dict[str, dict[str, Any]]:
    """Return the latencies of the first seed's networks, by network and batch."""
    rows, _ = study.data.test.take(jnp.arange(study.data.test.size))
    found: dict[str, dict[str, Any]] = {}
    for batch in (size for size in BATCHES if size <= len(rows)):
        first = {name: server(next(iter(of.values())), batch) for name, of in networks.items() if of}
        rounds = QUICK_ROUNDS if study.settings.quick else ROUNDS
        for name, times in latencies(first, rows[:batch], rounds).items():
            found.setdefault(name, {})[str(batch)] = times
    return found


def _row(
    of: Mapping[int, Run | QuantizedNetwork], dense: Mapping[int, Run | QuantizedNetwork], times: Any
) -> dict[str, Any]:
    """Return the figures of a network, with its loss of accuracy against the same seeds' dense network."""
    pairs = [(network, dense[seed]) for seed, network in of.items() if seed in dense]
    sizes = [_sizes(network) for network in of.values()]
    return {
        "test_accuracy": estimate([network.test_accuracy for network in of.values()]),
        "accuracy_loss": estimate([base.test_accuracy - network.test_accuracy for network, base in pairs]),
        "bytes": sizes[0][0] if sizes else None,
        "npz_bytes": sum(size for _, size in sizes) / len(sizes) if sizes else None,
        "microseconds": times,
    }


def _sizes(network: Run | QuantizedNetwork) -> tuple[int, int]:
    """Return the bytes of the weights in memory and in a compressed file."""
    if isinstance(network, QuantizedNetwork):
        return network.nbytes, network.saved_bytes
    weights = (network.params, network.batch_stats)
    return weight_bytes(weights), npz_bytes(weights)
