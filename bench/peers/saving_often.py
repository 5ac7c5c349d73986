"""A command of experiments.cifar that keeps a checkpoint twice a second, so that kills fall between."""

import sys
from typing import Final

from experiments.cifar import CONFIGS
from jaxdeep.cli.main import main
from jaxdeep.train import checkpoint

SECONDS: Final = 0.5
"""Seconds between two checkpoints."""

if __name__ == "__main__":
    checkpoint.SECONDS_BETWEEN_CHECKPOINTS = SECONDS
    raise SystemExit(main("cifar", "cifar10", CONFIGS, sys.argv[1:]))
