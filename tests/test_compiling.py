"""The programs of different networks are compiled side by side, with the bits and errors of one at a time."""

import threading
import time
from itertools import product
from typing import Any

import jax
import numpy as np
import pytest
from small_data import SMALL, compilations, lean_compilation, small_dataset

from jaxdeep.config import Config, Data, Model, Train
from jaxdeep.config.static import unread
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.study import runner
from jaxdeep.study.compiling import compile_all, side_by_side
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial

NETWORKS = [
    SMALL.updated({"model.units": units, "train.batch_size": batch_size, "train.epochs": 2})
    for units, batch_size in product(([12, 12], [8, 8, 8]), (32, 16))
]
"""Two architectures and two batch sizes."""


def calls(*functions: Any) -> Any:
    return dict(enumerate(functions))


def test_calls_are_made_at_a_time() -> None:
    barrier = threading.Barrier(2)
    assert side_by_side(calls(*[lambda: barrier.wait(10)] * 2), 2).keys() == {0, 1}


def test_one_call_or_one_thread_is_this_thread() -> None:
    own = threading.get_ident()
    assert side_by_side(calls(threading.get_ident), 8) == {0: own}
    assert side_by_side(calls(threading.get_ident, threading.get_ident), 1) == {0: own, 1: own}


def test_after_a_failure_no_call_begins_and_the_first_error_is_raised() -> None:
    began = []

    def fail() -> None:
        raise UserError("too large")

    with pytest.raises(UserError, match="too large"):
        side_by_side(calls(fail, fail, *[lambda: began.append(time.sleep(0.05))] * 100), 2)
    assert len(began) < 100


def test_what_a_signal_raises_ends_the_calls(monkeypatch) -> None:
    began = []

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxdeep.study.compiling.wait", interrupt)
    release = threading.Event()
    timer = threading.Timer(0.2, release.set)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        side_by_side(calls(*[lambda: (began.append(1), release.wait(10))] * 20), 2)
    assert len(began) < 20


def test_a_study_of_several_networks_has_the_bits_of_one_thread() -> None:
    data = small_dataset(SMALL)
    trials = [Trial(config, seed) for config in NETWORKS for seed in (0, 1)]

    def weights(workers: int) -> list[Any]:
        with lean_compilation(), compilations() as heard:
            runs = fit_all(trials, data, workers=workers, verbose=False)
        counts.append(len(heard))
        return [jax.device_get(run.params) for run in runs]

    counts: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "cores", lambda: 4)
        alone, together = weights(1), weights(4)
    assert counts[1] <= counts[0]
    jax.tree.map(np.testing.assert_array_equal, alone, together)


def test_sizes_are_those_of_each_trial() -> None:
    data = small_dataset(SMALL)
    with lean_compilation():
        first, _, deeper, _ = sizes = compile_all(NETWORKS, [data] * 4, 2)
        assert compile_all(NETWORKS, [data] * 4, 1) == sizes
    assert first.kept_bytes > deeper.kept_bytes > 0
    assert first.epoch_bytes > first.kept_bytes


def test_losses_share_no_evaluation() -> None:
    plain = Config(Data(valid_size=20), Model((6,), head="linear"), train=Train(epochs=2))
    x = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
    data = Dataset.from_arrays(x, x[:, 0] * 3, data=plain.data, task="regression")
    squared, absolute = fit_all(
        [Trial(plain.updated({"train.loss": loss}), 0) for loss in ("squared_error", "absolute_error")],
        data,
        verbose=False,
    )
    standard = data.info.targets.standard
    for run, norm in ((squared, np.square), (absolute, np.abs)):
        errors = standard(run.predict(x[:20], check=False)[:, None]) - standard(3 * x[:20, :1])
        assert run.val_loss == pytest.approx(norm(errors).mean(), rel=1e-4)
        assert run.test_loss == pytest.approx(run.evaluate(x[-20:], 3 * x[-20:, 0], check=False).loss, rel=1e-5)


def test_a_field_that_a_program_does_not_read_refuses_to_be_read() -> None:
    reduced = unread(Train(), dtype="float32")
    assert reduced == unread(Train(epochs=3), dtype="float32")
    assert hash(reduced) == hash(unread(Train(keep="last"), dtype="float32"))
    for read in (lambda: reduced.keep == "last", lambda: bool(reduced.diagnostics), lambda: reduced.epochs + 1):
        with pytest.raises(TypeError, match="shared by configurations that differ in this field"):
            read()
