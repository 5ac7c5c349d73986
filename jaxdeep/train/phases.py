"""The phases of a run and the states between them. In a phase the same layers are frozen."""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdeep.config import Config, Phase, Static, Trained
from jaxdeep.data.dataset import Dataset
from jaxdeep.nn.dnn import BatchStats, Network, Params
from jaxdeep.train.features import computed_once, shapes_with_features, with_features
from jaxdeep.train.forward import model_of
from jaxdeep.train.source import Layers, Source, layers_of, reused_layers, stacks_of
from jaxdeep.train.state import Best, TrainState, initial_weights


class Entry(NamedTuple):
    """What a phase begins with.

    Attributes:
        layers: Layers that are known before the phase. In the first phase they are the reused ones and the ones
            that are computed once. Later they are all layers.
        best: All layers of the best epoch so far. None in the first phase.
        before: State after the phase before. None in the first phase.
    """

    layers: Layers
    best: Layers | None = None
    before: TrainState | None = None


@dataclass(frozen=True, eq=False)
class Stage:
    """A phase of a run as a training of its own.

    Attributes:
        config: Configuration that is trained.
        data: Data set that it is trained on.
        phase: Frozen layers and last epoch of the phase.
    """

    config: Config
    data: Dataset
    phase: Phase

    @cached_property
    def trained(self) -> Trained:
        """Return what its programs train."""
        transfer = self.config.transfer
        first = computed_once(self.config, self.data, self.phase.frozen)
        frozen = tuple(index for index in self.phase.frozen if index >= first)
        return Trained(frozen, first, (transfer.layers or 0) if transfer.rate_factor != 1 else 0)

    @property
    def static(self) -> Static:
        """Return what its programs are compiled for."""
        return self.config.static(self.trained)

    @cached_property
    def shapes(self) -> Dataset:
        """Return its data set with shapes in place of features."""
        return shapes_with_features(self.config, self.data, self.trained.first)

    @cached_property
    def model(self) -> Network:
        """Return the network that its programs train."""
        return model_of(self.static, self.shapes)

    def features(self, entry: Entry) -> Dataset:
        """Return its data set, in which the outputs of the first frozen layers are computed.

        Args:
            entry: What the phase begins with.
        """
        return with_features(self.config, self.data, entry.layers, self.trained.first)

    def entered(self, fresh: TrainState, entry: Entry) -> TrainState:
        """Return the state before its first epoch.

        Args:
            fresh: State that its program for the start returned. The optimizer begins anew, as after Keras's `compile`.
            entry: What the phase begins with.
        """
        if not entry.layers:
            return fresh
        before, known = entry.before, entry.best if self.phase.is_restored and entry.best else entry.layers
        layers = {**layers_of(self.model, fresh.params, fresh.batch_stats), **known}
        best = stacks_of(self.model, layers if entry.best is None else entry.best)
        params, batch_stats = stacks_of(self.model, layers)
        if before is None:
            return fresh._replace(params=params, batch_stats=batch_stats, best=Best(*best, *fresh.best[2:]))
        epoch, diverged, figures = jax.tree.map(jnp.asarray, (before.epoch, before.diverged, before.best[2:]))
        new_best = Best(*best, *figures)
        return fresh._replace(params=params, batch_stats=batch_stats, best=new_best, epoch=epoch, diverged=diverged)

    def left(self, state: TrainState, entry: Entry) -> Entry:
        """Return what the next phase begins with.

        Args:
            state: State after the phase's last epoch.
            entry: What the phase began with.
        """
        best = state.best
        latest_layers = layers_of(self.model, state.params, state.batch_stats)
        best_layers = layers_of(self.model, best.params, best.batch_stats)
        before = state._replace(params=None, batch_stats=None, opt_state=None)
        return Entry({**entry.layers, **latest_layers}, {**entry.layers, **best_layers}, before)

    def whole(self, state: TrainState, entry: Entry) -> TrainState:
        """Return a state whose best weights include all layers, as without frozen ones.

        Args:
            state: State after the phase's last epoch.
            entry: What the phase began with.
        """
        if self.trained == Trained():
            return state
        best = state.best
        layers = {**entry.layers, **layers_of(self.model, best.params, best.batch_stats)}
        params, batch_stats = stacks_of(model_of(self.config, self.data), layers)
        return state._replace(best=best._replace(params=params, batch_stats=batch_stats))


def stages_of(config: Config, data: Dataset) -> tuple[Stage, ...]:
    """Return the phases of a run in their order.

    Args:
        config: Configuration that is trained.
        data: Data set that it is trained on.
    """
    return tuple(Stage(config, data, phase) for phase in config.transfer.phases(config.train.epochs))


def first_entry(stage: Stage, source: Source | None, key: jax.Array) -> Entry:
    """Return what the first phase begins with.

    Args:
        stage: First phase of a run.
        source: Network that the run starts from, or None.
        key: Random key of all phases.
    """
    known = reused_layers(stage.config, source)
    missing = [index for index in range(stage.trained.first) if index not in known]
    if missing:  # frozen layers with new weights
        model = model_of(stage.config, stage.data)
        fresh = layers_of(model, *_fresh(model, key))
        known |= {index: fresh[index] for index in missing}
    return Entry(known)


@partial(jax.jit, static_argnums=0)
def _fresh(model: Network, key: jax.Array) -> tuple[Params, BatchStats]:
    """Return new weights and moving statistics."""
    return initial_weights(model, key)


def folder_of_phase(folder: Path | None, number: int) -> Path | None:
    """Return the folder for the checkpoints of a phase.

    Args:
        folder: Folder for the checkpoints of all phases, or None.
        number: Number of the phase, counted from 0. The first one has the run's own folder.
    """
    return folder if folder is None or not number else folder / f"phase_{number}"
