"""jaxdeep as a contestant that trains on top of reused layers, by `fit`."""

import time
from collections.abc import Sequence
from typing import Any

import jax

from bench.peers.jax_device import device_peak, platform, precision
from bench.peers.transfer import PeerTransfer, Training, Way
from bench.peers.workload import Workload
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.train import phases
from jaxdeep.train.fit import fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.saved import load


def build(workload: Workload, way: Way = "cached") -> PeerTransfer:
    """Return a run that starts from the saved network which `transfer.source` names.

    For `frozen`, this process is told that no outputs of layers may be computed once.

    Args:
        workload: Workload with all rows of the data set.
        way: Way to train. The first is the library's own.

    Returns:
        The contestant. Its first training compiles the programs.
    """
    config = Config.from_dict(workload.config)
    data = Dataset.from_arrays(workload.images, workload.labels, data=config.data)
    source = load(config.transfer.source)
    if way == "all":
        config = config.updated({"transfer.frozen": "none"})
    compute, begun = phases.with_features, [0.0, 0.0]

    def timed(*arguments: Any) -> Dataset:
        begun[0] = time.perf_counter()
        features = jax.block_until_ready(compute(*arguments))
        begun[1] = time.perf_counter()
        return features

    def none(*_: Any) -> int:
        return 0

    phases.with_features = timed
    if way == "frozen":
        phases.computed_once = none

    def training() -> Training:
        ends = [0.0]

        def on_epoch(_: Sequence[EpochRecord]) -> None:
            ends[0] = time.perf_counter()

        called = time.perf_counter()
        run = fit(config, data, workload.seed, source=source, on_epoch=on_epoch, verbose=False)
        ended = time.perf_counter()
        losses = [(record.train_loss, record.val_loss) for record in run.history]
        return Training(ends[0] - begun[0], begun[1] - begun[0], ended - called, losses)

    return PeerTransfer(training, platform(), precision(), device_peak)
