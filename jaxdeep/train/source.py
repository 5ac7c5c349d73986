"""The trained network that a run starts from, and its layers one by one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Config, short
from jaxdeep.config.choices import check
from jaxdeep.config.values import shown
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.row_ranges import BRIGHT
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import BatchStats, Network, Params, Stack
from jaxdeep.train.forward import model_of
from jaxdeep.train.run import Run, check_stack
from jaxdeep.train.saved import load, load_all, network_digest

Layers = dict[int, tuple[Any, Any]]
"""Weights and moving statistics of single layers by their index, as NumPy arrays."""
OF_REUSED: Final = {
    "activation": "activation",
    "alpha": "alpha",
    "norm_input": "batch_norm_input",
    "norm_place": "batch_norm",
    "skip": "skip",
    "dtype": "dtype",
}
"""Attributes of a block that a reused layer must share with the source's layer, with their names for a user."""


def layers_of(model: Network, params: Params, batch_stats: BatchStats) -> Layers:
    """Return a network's layers one by one.

    Args:
        model: Network that the weights belong to.
        params: Weights of its stacks.
        batch_stats: Moving means and variances of its stacks.

    Returns:
        The layers on the host. The arrays have no leading axis.
    """
    found: Layers = {}
    host = jax.device_get((params, batch_stats))
    for stack in model.stacks:
        of_stack = tuple(tree[stack.name] for tree in host)
        for offset in range(stack.length):
            found[stack.first + offset] = jax.tree.map(lambda leaf, at=offset: np.asarray(leaf[at]), of_stack)
    return found


def stacks_of(model: Network, layers: Mapping[int, tuple[Any, Any]]) -> tuple[Params, BatchStats]:
    """Return single layers as the stacks of a network. It is the inverse of `layers_of`.

    Args:
        model: Network whose stacks are wanted.
        layers: Each of its layers by its index.

    Returns:
        Weights and moving statistics of the stacks on the device.
    """
    params, batch_stats = {}, {}
    for stack in model.stacks:
        trees = [layers[index] for index in range(stack.first, stack.first + stack.length)]
        stacked = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *trees)
        params[stack.name], batch_stats[stack.name] = stacked
    return params, batch_stats


@dataclass(frozen=True, eq=False)
class Source:
    """A trained network whose layers other runs reuse.

    Attributes:
        run: Run that trained it. It is never changed.
    """

    run: Run

    @classmethod
    def of(cls, run: Run) -> "Source":
        """Return the network of a run.

        Args:
            run: A run with a best epoch.

        Raises:
            UserError: The run has no best epoch.
        """
        if not run.best_epoch:
            why = "diverged" if run.diverged else "was stopped"
            raise UserError(
                f"the source, a run with seed {run.seed}, {why} before it had a best epoch: its weights are untrained. "
                "Give another source."
            )
        check_stack(run, "a source of transfer")
        return cls(run)

    @cached_property
    def layers(self) -> Layers:
        """Return its layers one by one."""
        run = self.run
        return layers_of(model_of(run.config, run.data), run.params, run.batch_stats)

    @cached_property
    def digest(self) -> str:
        """Return the digest of the network and of the scaling of its inputs, as 64 hexadecimal digits."""
        return network_digest(self.run)

    @property
    def hidden(self) -> int:
        """Return its number of hidden layers."""
        return len(self.run.config.network.units)


def source_of(config: Config, seed: int, given: Any = None) -> Source | None:
    """Return the network that a run starts from.

    Args:
        config: Configuration to train.
        seed: Seed that is trained with. It chooses among several networks of a folder.
        given: A run, a source, or the path of a saved network or a run folder. None takes `transfer.source`.

    Returns:
        The network. None if there is no source.

    Raises:
        UserError: There is no such file, it cannot be read, or the run has no best epoch.
    """
    given = config.transfer.source if given is None else given
    if isinstance(given, Source):
        return given
    if isinstance(given, Run):
        return Source.of(given)
    if not isinstance(given, str | os.PathLike):
        raise UserError(f"source is {shown(given)}. Allowed: a Run, a path, or None.")
    return Source.of(_loaded(Path(os.path.expanduser(given)), seed)) if given else None


def _loaded(path: Path, seed: int) -> Run:
    """Return the saved run of a path. The seed chooses among several in a folder."""
    if not path.is_dir():
        return load(path)
    runs = load_all(path)
    fitting = [run for run in runs.values() if run.seed == seed] if len(runs) > 1 else list(runs.values())
    if len(fitting) == 1:
        return fitting[0]
    raise UserError(
        f"{path} has {len(runs)} networks, {len(fitting)} of them with seed {seed}. "
        "Give transfer.source the file of one, or train the source with the same seeds."
    )


def resolved(config: Config, source: Source | None) -> Config:
    """Return a configuration in which the number of reused layers is given.

    Args:
        config: Configuration to train.
        source: Network to start from, or None.

    Returns:
        The configuration, with all hidden layers of the source if it leaves the number open.

    Raises:
        UserError: Layers are reused without a source.
    """
    layers = config.transfer.layers
    if source is None:
        if layers or config.transfer.head == "kept":
            raise UserError(
                f"transfer.layers is {layers}, and there is no source. Give transfer.source, or source= from Python."
            )
        return config
    if layers is None:
        return config.updated({"transfer.layers": min(source.hidden, len(config.model.units))})
    return config


def prepared(config: Config, data: Dataset, source: Source | None) -> Dataset:
    """Return the data set on the scale that the source was trained on.

    Args:
        config: Configuration to train. It says how many layers are reused.
        data: Data set to train on.
        source: Network to start from, or None.

    Returns:
        The data set with the source's scaling constants, or the given one if no layer is reused.

    Raises:
        UserError: The reused layers or the rows are not like the source's.
    """
    transfer = config.transfer
    if source is None or not (transfer.layers or transfer.head == "kept"):
        return data
    _check_source(config, data, source)
    if config.data.scaling == "none" or not transfer.layers:
        return data
    offsets = [
        0.0 if of.info is None or of.info.columns is None or of.info.columns.offset is None else of.info.columns.offset
        for of in (source.run.data, data)
    ]
    mean = np.asarray(source.run.data.mean, np.float64) + (offsets[0] - offsets[1])
    return replace(data, mean=jnp.asarray(mean.astype(source.run.data.mean.dtype)), scale=source.run.data.scale)


def reused_layers(config: Config, source: Source | None) -> Layers:
    """Return the layers that a run takes over from its source.

    Args:
        config: Configuration to train.
        source: Network to start from, or None.

    Returns:
        The layers by their index in the new network. It is empty without a source.
    """
    if source is None:
        return {}
    reused: Layers = {index: source.layers[index] for index in range(config.transfer.layers or 0)}
    if config.transfer.head == "kept":
        reused[len(config.network.units)] = source.layers[source.hidden]
    return reused


def _check_source(config: Config, data: Dataset, source: Source) -> None:
    """Refuse a source whose layers do not fit the configuration or whose rows were others."""
    layers, transfer = config.transfer.layers or 0, config.transfer
    check("transfer.layers", layers, layers <= source.hidden, f"0 .. {source.hidden}, the source's hidden layers")
    if data.image_shape != source.run.data.image_shape and data.inputs != source.run.data.inputs:
        raise UserError(
            f"the source's rows have the shape {source.run.data.image_shape}, and these have {data.image_shape}. "
            "Give rows of the source's shape."
        )
    if config.data.scaling != source.run.config.data.scaling:
        raise UserError(
            f"data.scaling is {config.data.scaling}, and the source's is {source.run.config.data.scaling}. "
            "Give the source's, since its layers know that scale."
        )
    _check_pixels(data, source)
    wanted, found = (_stack_of_layers(model_of(*of)) for of in ((config, data), (source.run.config, source.run.data)))
    for index in range(layers):
        advice = f"Give the model the source's values, or reuse {index or 'no'} layers."
        _check_layer(f"layer {index} is reused", wanted[index], found[index], advice)
    if transfer.head == "kept":
        advice = "Give the source's classes and its last width, or set transfer.head to new."
        _check_layer("the output layer is kept", wanted[-1], found[-1], advice)


def _check_pixels(data: Dataset, source: Source) -> None:
    """Refuse rows in 0..1 for a source that was trained on pixels in bytes, and the reverse."""
    known = [of.info.columns for of in (source.run.data, data) if of.info and of.info.columns]
    if len(known) < 2 or min(columns.low.min() for columns in known) < 0:
        return
    was, now = (float(columns.high.max()) for columns in known)
    if min(was, now) <= 1 and max(was, now) >= BRIGHT:
        raise UserError(
            f"the source's rows are in 0..{was:g}, and these are in 0..{now:g}, another scale of pixels. "
            "Give rows of the source's scale."
        )


def _stack_of_layers(model: Network) -> list[Stack]:
    """Return the stack of each layer."""
    return [stack for stack in model.stacks for _ in range(stack.length)]


def _check_layer(which: str, wanted: Stack, found: Stack, advice: str) -> None:
    """Refuse a reused layer that another kind of layer would take the place of."""
    pairs: dict[str, Sequence[Any]] = {
        "inputs": (found.inputs, wanted.inputs),
        "units": (found.block.units, wanted.block.units),
        "use_bias": (found.block.bias_init is not None, wanted.block.bias_init is not None),
        **{name: (getattr(found.block, of), getattr(wanted.block, of)) for of, name in OF_REUSED.items()},
    }
    if differing := [
        f"{name} {short(was)} there, {short(now)} here" for name, (was, now) in pairs.items() if was != now
    ]:
        raise UserError(f"{which}, and the source has another layer there: {', '.join(differing)}. {advice}")
