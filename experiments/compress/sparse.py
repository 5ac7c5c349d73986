"""Sparsity against accuracy: six ways to a sparse network, on the chapter's network of 300 and 100 units."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.fashion_mnist import L2
from experiments.record import Points, Settings, estimate
from jaxdeep.compress import csr_bytes, finetune, npz_bytes, prune, sparsity_of, weight_bytes, zero_below
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.run import Run

BASE: Final = L2.updated({"regularize.l2": 0.0})
"""300-100 ELU, He, standardised rows, Nadam 1e-3. The last epoch is kept, as gradual pruning needs it."""
SPARSITIES: Final = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
STRENGTHS: Final = (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
"""Strengths of l1 in the loss."""
FTRL_STRENGTHS: Final = (1e-2, 3e-2, 6e-2, 1e-1, 2e-1, 3e-1)
"""Strengths of l1 in FTRL."""
THRESHOLD: Final = 1e-2
"""Magnitude below which an entry becomes 0 after training with l1."""
NEARLY_ZERO: Final = 1e-3
"""Magnitude up to which an entry counts as nearly 0."""
HALF_A_POINT: Final = 0.005
"""Loss of accuracy that the answer allows."""
QUICK_SETTINGS: Final = 2
"""Number of settings of each method in a quick study."""


def gradual(sparsity: float, epochs: int) -> dict[str, Any]:
    """Return the changes of gradual pruning. It ends after three quarters of the epochs.

    Args:
        sparsity: Final sparsity, in (0, 1).
        epochs: Number of epochs of the training.
    """
    return {"regularize.sparsity": sparsity, "regularize.prune_end_epoch": max(epochs * 3 // 4, 1)}


def ftrl(strength: float, epochs: int) -> dict[str, Any]:
    """Return the changes of FTRL with l1.

    A small first accumulator lets the initial weights count. With Keras's 0.1 FTRL soon forgets them.

    Args:
        strength: Strength of l1 in the optimizer.
        epochs: Number of epochs, which changes nothing.
    """
    del epochs
    return {
        "optim.optimizer": "ftrl",
        "optim.learning_rate": 0.05,
        "optim.initial_accumulator": 1e-3,
        "optim.ftrl_l1": strength,
    }


TRAINED: Final[Mapping[str, tuple[Sequence[float], Callable[[float, int], dict[str, Any]]]]] = {
    "gradual": (SPARSITIES, gradual),
    "l1": (STRENGTHS, lambda strength, _: {"regularize.l1": strength}),
    "ftrl": (FTRL_STRENGTHS, ftrl),
}
"""Settings of the methods that train a network each, and the changes of a setting."""
METHODS: Final[Mapping[str, str]] = {
    "zero": "smallest weights zeroed",
    "zero by layer": "zeroed in each layer alone",
    "fine-tune": "zeroed and fine-tuned",
    "gradual": "gradual pruning while training",
    "l1": "l1 alone",
    "l1 and zero": f"l1, then zeroed below {THRESHOLD:g}",
    "ftrl": "FTRL with l1",
}
"""Names of the methods, and their words in figures and tables."""


@dataclass(frozen=True)
class Study:
    """A study of sparsity.

    Attributes:
        settings: Settings of the study.
        seeds: Seeds of the runs.
        data: Rows of the study.
        points: Finished points.
        folder: Folder of the study.
    """

    settings: Settings
    seeds: tuple[int, ...]
    data: Dataset
    points: Points
    folder: Path

    @property
    def config(self) -> Config:
        """Return the configuration of the dense network."""
        return self.settings.config(BASE)

    def settings_of(self, method: str) -> tuple[float, ...]:
        """Return the settings of a method, from the weakest to the strongest."""
        chosen = TRAINED["l1" if method.startswith("l1") else method][0] if method not in DERIVED else SPARSITIES
        return tuple(chosen[3 : 3 + QUICK_SETTINGS] if self.settings.quick else chosen)


def run_sparse(study: Study) -> dict[str, Any]:
    """Train all networks that are missing, and return the curves as JSON values.

    Args:
        study: Study to finish.

    Returns:
        The dense network's figures, the curve of each method, and the sparsity within half a point.
    """
    missing = [seed for seed in study.seeds if not _is_derived(study, seed)]
    trials = [Trial(study.config, seed) for seed in missing]
    kept = study.folder / "checkpoints"
    for run in fit_all(trials, study.data, checkpoints=lambda trial: kept / trial.name):
        _derive(study, run)
    for method, (_, changes_of) in TRAINED.items():
        _train(study, method, changes_of)
    return _curves(study)


def _fine_tuned(study: Study, run: Run, sparsity: float) -> Run:
    """Return a pruned network that was trained on for a quarter of the epochs."""
    epochs = max(study.settings.epochs // 4, 1)
    return finetune(prune(run, sparsity), {"train.epochs": epochs, "regularize.keep_zeros": True})


DERIVED: Final[Mapping[str, Callable[[Study, Run, float], Run]]] = {
    "zero": lambda _, run, sparsity: prune(run, sparsity),
    "zero by layer": lambda _, run, sparsity: prune(run, sparsity, "layer"),
    "fine-tune": _fine_tuned,
}
"""Methods that start from the dense network."""


def _is_derived(study: Study, seed: int) -> bool:
    """Return whether the dense network of a seed is needed no more."""
    names = [(method, setting) for method in DERIVED for setting in study.settings_of(method)]
    return all(study.points.has(method, setting, seed) for method, setting in (("dense", 0.0), *names))


def _derive(study: Study, run: Run) -> None:
    """Store the points that start from a dense network."""
    study.points.add("dense", 0.0, run.seed, _figures(run))
    for method, of in DERIVED.items():
        for setting in study.settings_of(method):
            if not study.points.has(method, setting, run.seed):
                study.points.add(method, setting, run.seed, _figures(of(study, run, setting)))


def _train(study: Study, method: str, changes_of: Callable[[float, int], dict[str, Any]]) -> None:
    """Train the networks of a method that are missing, and store each as it ends."""
    wanted = [(setting, seed) for setting in study.settings_of(method) for seed in study.seeds]
    wanted = [(setting, seed) for setting, seed in wanted if not study.points.has(method, setting, seed)]
    trials = []
    for setting, seed in wanted:
        changes = changes_of(setting, study.settings.epochs)
        trials.append(Trial(study.config.updated(changes), seed, changes))

    def store(index: int, run: Run) -> None:
        setting, seed = wanted[index]
        if method == "l1":
            study.points.add("l1 and zero", setting, seed, _figures(zero_below(run, THRESHOLD)))
        study.points.add(method, setting, seed, _figures(run))

    fit_all(trials, study.data, on_end=store)


def _figures(run: Run) -> dict[str, Any]:
    """Return the figures of a network. A diverged one has none."""
    if not run.best_epoch:
        return {"diverged": True}
    return {
        "test_accuracy": run.test_accuracy,
        "val_accuracy": run.val_accuracy,
        "sparsity": sparsity_of(run),
        "nearly_zero": sparsity_of(run, below=NEARLY_ZERO),
        "bytes": weight_bytes(run.params),
        "npz_bytes": npz_bytes(run.params),
        "csr_bytes": csr_bytes(run.params),
    }


def _curves(study: Study) -> dict[str, Any]:
    """Return the means over seeds."""
    dense = study.points.of("dense", 0.0, study.seeds)
    curves = {method: _curve(study, method, dense) for method in METHODS}
    allowed = {method: [point for point in curve if _is_within(point)] for method, curve in curves.items()}
    within = {method: max((point["sparsity"] for point in of), default=None) for method, of in allowed.items()}
    return {"dense": _point(0.0, dense, dense), "curves": curves, "within_half_a_point": within}


def _curve(study: Study, method: str, dense: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    of = partial(study.points.of, method)
    return [_point(setting, of(setting, study.seeds), dense) for setting in study.settings_of(method)]


def _is_within(point: Mapping[str, Any]) -> bool:
    """Return whether a point loses half a point of accuracy at most, in the mean over seeds."""
    loss = point["accuracy_loss"]["mean"]
    return loss is not None and not point["diverged"] and loss <= HALF_A_POINT


def _point(setting: float, of: Sequence[Mapping[str, Any]], dense: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the means of a point over seeds, and its accuracy less than that of the same seed's dense network."""
    pairs = [(one, base) for one, base in zip(of, dense, strict=True) if "diverged" not in {**one, **base}]
    names = ("sparsity", "nearly_zero", "bytes", "npz_bytes", "csr_bytes")
    means = {name: float(np.mean([one[name] for one, _ in pairs])) if pairs else None for name in names}
    return {
        "setting": setting,
        **means,
        "test_accuracy": estimate([one["test_accuracy"] for one, _ in pairs]),
        "accuracy_loss": estimate([base["test_accuracy"] - one["test_accuracy"] for one, base in pairs]),
        "diverged": len(of) - len(pairs),
    }
