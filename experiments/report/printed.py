"""Figures that are printed for the chapter's exercises and stand in no recipe."""

from collections.abc import Mapping
from typing import Final

AUTHOR: Final = "the exercise's author, 2017"
"""Who printed the figures of DIGITS. Source 003, whose exercise it is, prints none."""
DIGITS: Final[Mapping[str, tuple[float, ...]]] = {
    "digits_0_4": (0.9805,),
    "digits_0_4_bn": (0.9924, 0.9940),
    "digits_0_4_best": (0.9932,),
    "scratch_5_9": (0.9041,),
    "transfer_5_9": (0.7630,),
}
"""Printed test accuracies of the digits, by configuration."""
LAYERS: Final = (
    ("five layers frozen", 0.7630, "5 reused, 0 trained, frozen first"),
    ("five layers frozen, outputs cached", 0.7651, "5 reused, 0 trained, frozen first"),
    ("four layers frozen", 0.8017, "4 reused, 0 trained, frozen first"),
    ("four layers, then the top two unfrozen", 0.8437, "4 reused, 2 trained, frozen first"),
    ("four layers, then all unfrozen", 0.9060, "4 reused, 4 trained, frozen first"),
    ("from scratch", 0.9041, "scratch"),
)
"""Figures that the exercise's author printed in 2017, and our cells."""
SANDALS: Final = (("B from scratch", 0.9705, "B from scratch"), ("B on A", 0.9935, "B on A"))
"""Test accuracies that source 001 prints, and our cells."""
PRINTED: Final = {
    ("transfer", "layers"): (LAYERS, AUTHOR),
    ("transfer", "fashion"): (SANDALS, "source 001"),
}
"""Printed figures of each question, and who printed them."""
