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
from jaxdeep.train import features, phases
from jaxdeep.train.fit import fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.saved import load


def build(workload: Workload, way: Way = "cached") -> PeerTransfer:
    """Return a run that starts from the saved network which `transfer.source` names.

    The functions that compute outputs once are wrapped to take their time. For `frozen`, this process computes none.

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
    compute, compute_split = phases.with_features, features._features  # pyright: ignore[reportPrivateUsage]
    begins, ends = [0.0], [0.0]
    of_splits: list[float] = []

    def timed(*arguments: Any) -> Dataset:
        begins[0] = time.perf_counter()
        return compute(*arguments)

    def timed_split(*arguments: Any) -> Any:
        began = time.perf_counter()
        split = jax.block_until_ready(compute_split(*arguments))
        of_splits.append(time.perf_counter() - began)
        return split

    def none(*_: Any) -> int:
        return 0

    def on_epoch(_: Sequence[EpochRecord]) -> None:
        ends[0] = time.perf_counter()

    phases.with_features = timed
    features._features = timed_split
    if way == "frozen":
        phases.computed_once = none

    def training() -> Training:
        of_splits.clear()
        called = time.perf_counter()
        run = fit(config, data, workload.seed, source=source, on_epoch=on_epoch, verbose=False)
        ended = time.perf_counter()
        train, valid, test = of_splits or (0.0, 0.0, 0.0)
        losses = [(record.train_loss, record.val_loss) for record in run.history]
        return Training(ends[0] - begins[0] - test, train + valid, ended - called, losses)

    return PeerTransfer(training, platform(), precision(config.train.matmul_precision), device_peak)
