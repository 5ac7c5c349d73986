"""A Flax Linen module of the user's own in place of the stacks, behind the same two pure functions."""

import inspect
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen

from jaxdeep.config.made import qualified_name
from jaxdeep.errors import UserError

NAME: Final = "module"
"""Key of the module's variables in params and batch_stats."""
COLLECTIONS: Final = frozenset({"params", "batch_stats"})
"""Collections of variables that a module may have."""


class OwnBlock(NamedTuple):
    """What is known of a user's module by those who look at a stack's block.

    Attributes:
        units: Number of outputs.
        products: Number of dense products, which is not known: 0.
        activation: "linear", since the module's outputs are logits.
        alpha: None.
        dropout: None, since no rate can be given to the module.
        is_random: True, since it may have dropout.
    """

    units: int
    products: int = 0
    activation: str = "linear"
    alpha: None = None
    dropout: None = None
    is_random: bool = True
    norm_input: bool = False
    norm_place: None = None
    skip: bool = False
    bias_init: None = None


class OwnModule(NamedTuple):
    """A user's module as functions of its variables, whose leaves have a leading axis of 1, like a stack of one layer.

    Attributes:
        module: Module that was made for a number of outputs.
        takes_train: Whether its call takes `train`.
    """

    module: linen.Module
    takes_train: bool

    @classmethod
    def of(cls, make: Callable[[int], Any], outputs: int) -> "OwnModule":
        """Make the module.

        Args:
            make: Function from the number of outputs to a module.
            outputs: Number of outputs.

        Raises:
            UserError: It makes something else.
        """
        module = make(outputs)
        if not isinstance(module, linen.Module):
            raise UserError(
                f"model.module is {qualified_name(make)}, which returns a {type(module).__name__}. Allowed: a function "
                "from the number of outputs to a flax.linen.Module."
            )
        return cls(module, "train" in inspect.signature(type(module).__call__).parameters)

    def init(self, key: jax.Array, inputs: int, dtype: str) -> tuple[Any, Any]:
        """Return new params and batch_stats.

        Args:
            key: Random key of the weights.
            inputs: Number D of features in a row.
            dtype: Type of a row.

        Raises:
            UserError: The module has another collection of variables.
        """
        keys = {"params": key, "dropout": key}
        variables = self.module.init(keys, jnp.zeros((1, inputs), dtype), **self._train(is_training=False))
        if others := sorted(set(variables) - COLLECTIONS):
            raise UserError(
                f"model.module has variables of the collection {others[0]!r}, and params and batch_stats are kept. "
                "Leave it out."
            )
        stacked = jax.tree.map(lambda leaf: leaf[None], variables)
        return {NAME: stacked.get("params", {})}, {NAME: stacked.get("batch_stats", {})}

    def apply(
        self, params: Any, batch_stats: Any, x: jax.Array, key: jax.Array | None, *, update_stats: bool
    ) -> tuple[jax.Array, Any]:
        """Run the module.

        Args:
            params: Weights from `init`.
            batch_stats: Moving statistics from `init`.
            x: Rows [B, D].
            key: Random key of its dropout, or None without.
            update_stats: Whether batch normalisation updates its moving statistics.

        Returns:
            Outputs [B, C] and the batch_stats.
        """
        variables = {
            "params": jax.tree.map(lambda leaf: leaf[0], params[NAME]),
            "batch_stats": jax.tree.map(lambda leaf: leaf[0], batch_stats[NAME]),
        }
        is_training = update_stats or key is not None
        y, updated = self.module.apply(
            variables,
            x,
            rngs=None if key is None else {"dropout": key},
            mutable=["batch_stats"] if is_training else [],
            **self._train(is_training=is_training),
        )
        if not update_stats or "batch_stats" not in updated:
            return y, batch_stats
        return y, {NAME: jax.tree.map(lambda leaf: leaf[None], updated["batch_stats"])}

    def _train(self, *, is_training: bool) -> dict[str, Any]:
        return {"train": is_training} if self.takes_train else {}
