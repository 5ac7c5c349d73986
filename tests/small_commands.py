"""What the tests of the command line share: small images, a small network, and how a run's folder is read."""

import json
from pathlib import Path

import numpy as np

from jaxdeep.data.images import Images

QUICK = ["--config", "sanity", "--model.units", "8", "8", "--train.epochs", "3"]


def images(name: str, *, source: str, data_dir: Path | None) -> Images:
    """10 classes of noise around a pattern, few and small; real or synthetic as asked."""
    del data_dir
    rng = np.random.default_rng(0)
    labels = (np.arange(5_900) % 10).astype(np.uint8)
    patterns = rng.integers(60, 196, (10, 4, 4, 3))
    pixels = np.clip(patterns[labels] + rng.normal(0, 40, (5_900, 4, 4, 3)), 0, 255).astype(np.uint8)
    synthetic = source != name
    return Images(
        pixels[:5_400],
        labels[:5_400],
        pixels[5_400:],
        labels[5_400:],
        name=f"synthetic_{name}" if synthetic else name,
        source="built-in synthetic" if synthetic else "classic files",
        synthetic=synthetic,
        class_names=tuple(map(str, range(10))),
    )


def summary(folder: str | Path) -> dict:
    return json.loads(Path(folder, "summary.json").read_text())
