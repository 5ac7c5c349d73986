"""The questions of transfer as cells: what is trained in each, from which source, on which draw of the rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from experiments.fashion_mnist import SCRATCH_B, TRANSFER, TRANSFER_A
from experiments.mnist import DIGITS_0_4, SCRATCH_5_9, TRANSFER_5_9
from jaxdeep.config import Config

AMOUNTS: Final = (10, 30, 100, 300, 1_000)
"""Images a digit."""
EPOCHS: Final = 200
"""Largest number of epochs of a transfer, both parts together. Early stopping ends each part."""
HIDDEN: Final = 5
"""Hidden layers of the network that is reused."""
FIRST_SEED: Final = 42
CLASSES: Final = 10


@dataclass(frozen=True)
class Cell:
    """Runs that differ in their seed alone.

    Attributes:
        name: Name of the cell, unique in its question.
        config: Configuration of its runs, without the draw of the rows.
        source: Configuration of the network that they start from. None without one.
    """

    name: str
    config: Config
    source: Config | None = None


@dataclass(frozen=True)
class Question:
    """A question of transfer.

    Attributes:
        dataset: Name of the image set.
        title: Words for figures and tables.
        cells: Cells whose runs are compared.
        draws: Number of draws of the rows for each seed. Without draws the seed chooses nothing but the weights.
        couples: Whether each seed has a draw of its own, and no other.
    """

    dataset: str
    title: str
    cells: tuple[Cell, ...]
    draws: int = 1
    couples: bool = False

    def draw_of(self, seed: int, draw: int) -> int:
        """Return the seed of a draw.

        Args:
            seed: Seed of the weights and of the order of the rows.
            draw: Number of the draw, counted from 0.
        """
        return seed - FIRST_SEED if self.couples else draw


def _transferred(layers: int, unfreeze: int, first_frozen: bool, **changes: Any) -> Config:
    """Return a transfer to digits 5 to 9.

    Args:
        layers: Number of reused layers.
        unfreeze: Number of them that are trained in the end, from the top.
        first_frozen: Whether the head is trained first, with all reused layers frozen.
        **changes: Further fields of `transfer`.
    """
    fields = {"layers": layers, "unfreeze": unfreeze, **changes}
    fields |= {"unfreeze_epoch": None} if first_frozen and unfreeze else {}
    updates = {f"transfer.{name}": value for name, value in fields.items()}
    return TRANSFER_5_9.updated({**updates, "train.epochs": EPOCHS})


def layers_question() -> Question:
    """Return the question of source 003: how many layers to reuse, and how many of them to train.

    The network has the reused layers and a new head. Cells with 0 layers are networks with five new ones.
    """
    cells = [Cell("scratch", SCRATCH_5_9)]
    for layers in range(1, HIDDEN + 1):
        for unfreeze in range(layers + 1):
            first = _transferred(layers, unfreeze, first_frozen=True)
            cells.append(Cell(f"{layers} reused, {unfreeze} trained, frozen first", first, DIGITS_0_4))
            if unfreeze:
                at_once = _transferred(layers, unfreeze, first_frozen=False)
                cells.append(Cell(f"{layers} reused, {unfreeze} trained, at once", at_once, DIGITS_0_4))
    return Question("mnist", "Digits 5 to 9, 100 images of each", tuple(cells), couples=True)


def amount_question() -> Question:
    """Return the question how many layers to train, by the number of images."""
    cells = []
    for amount in AMOUNTS:
        rows = {"data.per_class": amount}
        cells.append(Cell(f"{amount} images, scratch", SCRATCH_5_9.updated(rows)))
        for unfreeze in range(HIDDEN + 1):
            config = _transferred(HIDDEN, unfreeze, first_frozen=True).updated(rows)
            cells.append(Cell(f"{amount} images, {unfreeze} trained", config, DIGITS_0_4))
    return Question("mnist", "Digits 5 to 9, five layers reused", tuple(cells), couples=True)


def top_question() -> Question:
    """Return the question what to do with the top layers: keep, drop, replace or add."""
    variants: Mapping[str, tuple[int, tuple[int, ...]]] = {
        "keep five": (5, ()),
        "drop one": (4, ()),
        "drop two": (3, ()),
        "replace one": (4, (100,)),
        "replace two": (3, (100, 100)),
        "add one": (5, (100,)),
        "add two": (5, (100, 100)),
    }
    cells = [Cell("scratch", SCRATCH_5_9)]
    for name, (layers, added) in variants.items():
        for unfreeze, words in ((0, "frozen"), (layers, "all trained")):
            config = _transferred(layers, unfreeze, first_frozen=True, added=added)
            cells.append(Cell(f"{name}, {words}", config, DIGITS_0_4))
    return Question("mnist", "Digits 5 to 9, 100 images of each: the top layers", tuple(cells), couples=True)


def fashion_question() -> Question:
    """Return source 001's question: sandals and shirts from 200 images, with and without the other eight classes."""
    at_once = TRANSFER.updated({"transfer.unfreeze_epoch": 0})
    cells = (
        Cell("B from scratch", SCRATCH_B),
        Cell("B on A", TRANSFER, TRANSFER_A),
        Cell("B on A, all trained at once", at_once, TRANSFER_A),
    )
    return Question("fashion_mnist", "Sandal or shirt from the first 200 images", cells)


def pairs_question() -> Question:
    """Return the honest version: each of the 45 pairs of classes, from the other eight classes."""
    cells = []
    for pair in combinations(range(CLASSES), 2):
        others = tuple(label for label in range(CLASSES) if label not in pair)
        rows: dict[str, Any] = {"data.classes": pair, "data.per_class": 100, "data.train_size": None}
        source, name = TRANSFER_A.updated({"data.classes": others}), f"{pair[0]} or {pair[1]}"
        cells.append(Cell(f"{name}, scratch", SCRATCH_B.updated(rows)))
        cells.append(Cell(f"{name}, transfer", TRANSFER.updated(rows), source))
    return Question("fashion_mnist", "All 45 pairs of classes, 200 images of each pair", tuple(cells), draws=3)


QUESTIONS: Final[Mapping[str, Callable[[], Question]]] = {
    "layers": layers_question,
    "amount": amount_question,
    "top": top_question,
    "fashion": fashion_question,
    "pairs": pairs_question,
}
"""Questions by name."""
