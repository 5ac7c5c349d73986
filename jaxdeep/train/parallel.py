"""One run on all devices of all processes: each batch is divided among them, and the weights are the same on all.

The same programs as on a single device are compiled by plain `jit` for a mesh. Batch normalisation therefore takes the
statistics of the whole batch. The run equals that of one device but for rounding. An epoch is one call, and each is
waited for. Many queued calls with sums over the devices could deadlock on a CPU.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxdeep.config import Config, Trained
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.info import Split
from jaxdeep.train.memory import free_memory, program_bytes, tree_bytes
from jaxdeep.train.placement import ROWS, divided_over
from jaxdeep.train.programs import NAMES, Program, options_of, spec_of, traceable
from jaxdeep.train.xla_options import compile_with

SHARE_OF_ROWS: Final = 0.5
"""Share of a device's free memory above which the rows of the data set are divided among the devices."""


@dataclass(frozen=True)
class Layout:
    """How one run stands on several devices.

    Attributes:
        devices: All devices, of one kind. They may be described and not there.
        divides_rows: Whether the devices divide the rows of the data set too. Otherwise each device holds all rows.
    """

    devices: tuple[Any, ...]
    divides_rows: bool

    @cached_property
    def mesh(self) -> Mesh:
        """Return the devices as one axis."""
        return Mesh(np.asarray(self.devices), (ROWS,))

    @property
    def whole(self) -> NamedSharding:
        """Return the placement of an array that is whole on each device."""
        return NamedSharding(self.mesh, PartitionSpec())

    @property
    def divided(self) -> NamedSharding:
        """Return the placement of an array [N, ...] whose rows are divided among the devices."""
        return NamedSharding(self.mesh, PartitionSpec(ROWS))

    def with_filled_rows(self, data: Dataset) -> Dataset:
        """Return a data set whose images can be divided evenly among the devices.

        Args:
            data: Data set of arrays or of their shapes.

        Returns:
            A data set of arrays on the host or of shapes. It has the same rows, and images that no row names.
        """
        if not self.divides_rows:
            return data
        filled: dict[int, Any] = {}

        def fill(images: Any) -> Any:
            missing = -len(images) % len(self.devices)
            if isinstance(images, jax.ShapeDtypeStruct):
                return jax.ShapeDtypeStruct((len(images) + missing, *images.shape[1:]), images.dtype)
            return np.pad(np.asarray(images), ((0, missing), (0, 0)))

        def divide(split: Split) -> Split:
            if id(split.images) not in filled:
                filled[id(split.images)] = fill(split.images)
            rows = split.rows
            if rows is None and isinstance(split.images, jax.ShapeDtypeStruct):
                rows = jax.ShapeDtypeStruct((split.capacity,), np.int32)
            elif rows is None:
                rows = np.arange(split.capacity, dtype=np.int32)
            return split._replace(images=filled[id(split.images)], rows=rows)

        parts = {name: divide(getattr(data, name)) for name in ("train", "valid", "test")}
        return replace(data, **parts, info=None)

    def of_data(self, data: Dataset) -> Dataset:
        """Return the placement of each array of a data set.

        Args:
            data: Data set, or its shapes.
        """
        placed = jax.tree.map(lambda _: self.whole, data)
        if not self.divides_rows:
            return placed

        def divide(split: Split) -> Any:
            return split._replace(images=self.divided)

        parts = {name: divide(getattr(placed, name)) for name in ("train", "valid", "test")}
        return replace(placed, **parts)

    def placed(self, data: Dataset) -> Dataset:
        """Return a data set on the devices. Every process holds the same one and gives its devices their part.

        Args:
            data: Data set on the host or on one device.
        """
        data = self.with_filled_rows(data)
        known: dict[tuple[int, bool], jax.Array] = {}

        def place(leaf: Any, sharding: NamedSharding) -> jax.Array:
            key = (id(leaf), sharding == self.whole)
            if key not in known:
                known[key] = self._spread(leaf, sharding)
            return known[key]

        return jax.tree.map(place, data, self.of_data(data))

    def everywhere(self, tree: Any) -> Any:
        """Return arrays whole on each device. Every process has the same values.

        Args:
            tree: Arrays on the host, on one device or on all.
        """
        return jax.tree.map(lambda leaf: self._spread(leaf, self.whole), tree)

    def local(self, tree: Any) -> Any:
        """Return arrays of all devices as arrays of this process.

        Args:
            tree: Arrays that are whole on each device.
        """
        return jax.tree.map(lambda leaf: jnp.asarray(_on_host(leaf)) if not _is_key(leaf) else leaf, tree)

    def _spread(self, leaf: Any, sharding: NamedSharding) -> jax.Array:
        if isinstance(leaf, jax.Array) and leaf.sharding == sharding:
            return leaf
        if _is_key(leaf):
            numbers = self._spread(jax.random.key_data(leaf), sharding)
            return jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(leaf))
        array = _on_host(leaf)
        return jax.make_array_from_callback(array.shape, sharding, lambda part: array[part])


def layout_of(data: Dataset, devices: Sequence[Any], divides_rows: bool | None = None) -> Layout:
    """Return how a run stands on some devices.

    Args:
        data: Data set that is trained on.
        devices: Devices of one kind.
        divides_rows: Whether the devices divide the rows of the data set. None divides rows that take more than a half
            of a device's free memory.
    """
    if divides_rows is None:
        memory = free_memory() if jax.default_backend() != "cpu" else None
        divides_rows = memory is not None and tree_bytes(data) > SHARE_OF_ROWS * memory
    return Layout(tuple(devices), divides_rows)


def compile_parallel(config: Config, data: Dataset, trained: Trained, layout: Layout) -> Program:
    """Compile the programs of one run for several devices.

    Args:
        config: Configuration to train.
        data: Data set whose shapes and types are used.
        trained: Layers that the programs train.
        layout: Devices, and how the data stand on them.

    Returns:
        The compiled programs. Their arguments stand on the devices as the layout says.
    """
    began = time.perf_counter()
    calls: dict[str, Any] = {}
    for name, lowered in lowered_programs(config, data, trained, layout).items():
        spec = spec_of(config, [data], trained)
        calls[name] = compile_with(lowered, options_of(name, spec))
    state = calls["start"].out_info
    kept_bytes = tree_bytes((state.params, state.batch_stats))
    seconds = time.perf_counter() - began
    return Program(**calls, compile_seconds=seconds, epoch_bytes=program_bytes(calls["epoch"]), kept_bytes=kept_bytes)


def lowered_programs(
    config: Config,
    data: Dataset,
    trained: Trained,
    layout: Layout,
    lower: Callable[[Any, Any], Any] = lambda jitted, arguments: jitted.lower(*arguments),
) -> Mapping[str, Any]:
    """Trace the programs of one run for several devices.

    Args:
        config: Configuration to train. Its hidden layers run by XLA, which alone can divide them.
        data: Data set whose shapes and types are used.
        trained: Layers that the programs train.
        layout: Devices, and how the data stand on them. The devices may be described only.
        lower: Function of a jitted function and its arguments that traces it.

    Returns:
        Traced programs that can be compiled, by name.
    """
    plain = config.updated({"train.kernels": "xla"})
    shapes = layout.with_filled_rows(jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), data))
    spec, state, lowered = spec_of(plain, [shapes], trained), None, {}
    of_data, whole = layout.of_data(spec.data), layout.whole
    placed = {
        "start": (whole, of_data, whole),
        "epoch": (whole, whole, of_data),
        "evaluate": (whole, whole, whole, of_data),
    }
    with divided_over(layout.mesh):
        for name in NAMES:
            found = traceable(name, spec, None, state)
            jitted = jax.jit(
                found.function, in_shardings=placed[name], out_shardings=whole, donate_argnums=found.donated
            )
            lowered[name] = lower(jitted, found.arguments)
            if name == "start":
                state = lowered[name].out_info
    return lowered


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _on_host(leaf: Any) -> np.ndarray:
    """Return an array that is whole on a device of this process."""
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        return np.asarray(leaf.addressable_data(0))
    return np.asarray(leaf)
