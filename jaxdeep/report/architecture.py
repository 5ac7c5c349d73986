"""The layers of a network with their shapes and parameter counts, without training it."""

from collections.abc import Sequence
from typing import Any

import jax

from jaxdeep.config import Model
from jaxdeep.config.choices import Task
from jaxdeep.config.made import qualified_name
from jaxdeep.nn.block import Block
from jaxdeep.nn.dnn import dnn
from jaxdeep.report.layout import fitted

HEADERS = ("layer", "what", "output", "parameters", "of these not trained")


def architecture_table(
    model: Model, inputs: int, classes: int, task: Task = "classification", *, width: int | None = None
) -> str:
    """Return what `--summary` prints: a row for each layer or stretch of equal layers, and the sums.

    Moving means and variances of batch normalisation count as parameters that are not trained, as in Keras.

    Args:
        model: Architecture of the network.
        inputs: Number D of features of a row.
        classes: Number C of classes, of labels, or of numbers to predict.
        task: What the network predicts.
        width: Number of characters of a line at most, or None for no limit.
    """
    network = dnn(model, inputs, classes, task=task)
    params, batch_stats = jax.eval_shape(network.init, jax.random.key(0))
    rows, total, moving = [], 0, 0
    for name, block, _, first, length, _ in network.stacks:
        trained, not_trained = _size(params[name]), _size(batch_stats[name])
        layer = str(first) if length == 1 else f"{first} - {first + length - 1}"
        what = _what(block, model.rates[first : first + length])
        what = what if length == 1 else f"{length} x [{what}]"
        rows.append((layer, what, f"[B, {block.units}]", f"{trained + not_trained:,}", f"{not_trained:,}"))
        total, moving = total + trained + not_trained, moving + not_trained
    table = (HEADERS, ("input", "", f"[B, {inputs}]", "0", "0"), *rows, ("in all", "", "", f"{total:,}", f"{moving:,}"))
    return "\n".join(fitted(table, width))


def _what(block: Block, rates: Sequence[float]) -> str:
    """Return the operations of equal layers, whose dropout rates may differ."""
    activation = block.activation if isinstance(block.activation, str) else qualified_name(block.activation)
    if block.alpha is not None:
        activation = f"{activation}({block.alpha:g})"
    parts = [
        "batch norm" if block.norm_input else "",
        f"{block.dropout} {' / '.join(f'{rate:g}' for rate in dict.fromkeys(rates))}" if block.dropout else "",
        "batch norm" if block.norm_place == "input" else "",
        f"dense {block.products}" + ("" if block.bias_init else " without bias"),
        "batch norm" if block.norm_place == "before" else "",
        activation if activation != "linear" else "",
        "batch norm" if block.norm_place == "after" else "",
        "skip" if block.skip else "",
    ]
    return ", ".join(part for part in parts if part)


def _size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
