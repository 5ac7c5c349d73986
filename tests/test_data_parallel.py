"""One run on many devices is the run on one but for rounding, however many devices and processes there are.

And a study on eight devices of one process is that on one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_processes import ROOT, Together

from jaxdeep import Config, Data, Dataset, Model, Train, UserError, fit

ROUNDING = 1e-11
"""Of 1 + |x| in float64; found: 3e-14. Sums over the batch's rows are taken in another order."""
ROUNDING_32 = 1e-4
"""The same in float32 of trials side by side, after some epochs of Nadam."""
BEGIN = """
import json, sys
import jax
if "float64" in sys.argv:
    jax.config.update("jax_enable_x64", True)
port, count, number = sys.argv[-3:]
if count != "1":
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(f"127.0.0.1:{port}", int(count), int(number))
import numpy as np
from jaxdeep import Config, Data, Dataset, Model, Regularize, Schedule, Train, fit

def small(dtype="float64", **changes):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (231, 6, 6, 1)).astype("uint8")
    y = (x.reshape(231, -1)[:, 0] // 64).astype(int)
    model = Model(units=(16, 16), use_bias=False, batch_norm=True, dropout_rate=0.1, dropout_sites="every")
    config = Config(Data(valid_size=50), model, train=Train(epochs=3, batch_size=37, dtype=dtype)).updated(changes)
    task = "regression" if config.model.is_regression else "classification"
    return config, Dataset.from_arrays(x[:180], y[:180], x[180:], y[180:], data=config.data, task=task)

def figures(run):
    records = [[record.train_loss, record.train_accuracy, record.val_loss, record.val_accuracy]
               for record in run.history]
    weights = [np.asarray(leaf, float).ravel().tolist() for leaf in jax.tree.leaves((run.params, run.batch_stats))]
    confusion = [] if run.confusion is None else run.confusion.tolist()
    found = [run.val_loss, run.test_loss, run.train_loss, run.test_accuracy, confusion]
    return [records, weights, found, run.test_correct.tolist(), run.best_epoch]
"""
RUNS = (
    BEGIN
    + """
every = {
    "plain": {},
    "augmented": {"model.batch_norm": False, "model.use_bias": True, "train.batch_size": 26, "data.shift_pixels": 1,
                  "regularize.l2": 1e-4},
    "numbers": {"model.head": "linear"},
    "resampled": {"data.resample": True, "train.diagnostics": True},
}
found = {}
devices = {} if len(jax.devices()) == 1 else {"devices": "all"}
for name in sys.argv[1].split(","):
    changes, divided = every[name.removesuffix(" divided")], {"divide_rows": True} if "divided" in name else {}
    found[name] = figures(fit(*small(**changes), verbose=False, **devices, **divided))
print(json.dumps(found))
"""
)
STUDY = (
    BEGIN
    + """
from jaxdeep import Trial, fit_all
from jaxdeep.study.batched import fit_batched

config, data = small("float32")
trials = [Trial(config.updated({"optim.learning_rate": rate}), 42, {"optim.learning_rate": rate})
          for rate in np.linspace(1e-3, 1e-2, 8).tolist()]
on_cores = fit_all(trials, data, verbose=False)
side_by_side = [] if len(jax.devices()) == 1 else fit_batched(trials, [data] * 8, [None] * 8)
print(json.dumps([list(map(figures, on_cores)), list(map(figures, side_by_side))]))
"""
)
RESUMED = (
    BEGIN
    + """
config, data = small()
runs = [fit(config, data, checkpoints=sys.argv[1], until=until, devices="all", verbose=False) for until in (1, None)]
print(json.dumps(figures(runs[-1])))
"""
)


def on_devices(count: int, code: str, *words: str) -> Any:
    """What a program prints, with some emulated devices."""
    done = subprocess.run(
        (sys.executable, "-c", code, *words, "0", "1", "0"),
        cwd=ROOT,
        env={**os.environ, "JAX_NUM_CPU_DEVICES": str(count), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def assert_close(found: Any, expected: Any, rounding: float) -> None:
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, list):
            assert_close(one, other, rounding)
        else:
            np.testing.assert_allclose(one, other, rtol=rounding, atol=rounding)


@pytest.fixture(scope="module")
def on_one() -> Any:
    """The runs on one device."""
    return on_devices(1, RUNS, "plain,augmented,numbers,resampled", "float64")


@pytest.mark.parametrize(
    ("devices", "names"), [(2, "plain divided"), (4, "augmented,numbers divided"), (8, "plain,resampled divided")]
)
def test_a_run_on_many_devices_is_that_on_one_but_for_rounding(devices, names, on_one) -> None:
    for name, run in on_devices(devices, RUNS, names, "float64").items():
        assert_close(run, on_one[name.removesuffix(" divided")], ROUNDING)


def test_two_processes_train_one_run_together_and_continue_alone(on_one, tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    with Together(2, ("-c", RESUMED, kept, "float64"), tmp_path, flags=False, devices=2) as job:
        ended = job.ended()
    assert [process.status for process in ended] == [0, 0], ended[0].err
    for process in ended:
        assert_close(json.loads(process.out.splitlines()[-1]), on_one["plain"], ROUNDING)
    assert [path.name for path in Path(kept).iterdir() if path.name.isdecimal()] == ["1", "3"] or "3" in os.listdir(
        kept
    )
    assert_close(on_devices(1, RESUMED, kept, "float64"), on_one["plain"], ROUNDING)


def test_a_study_on_eight_devices_is_that_on_one() -> None:
    on_cores, batched = on_devices(8, STUDY)
    assert on_cores == on_devices(1, STUDY)[0]
    assert_close(batched, on_cores, ROUNDING_32)


def test_arguments_that_have_no_effect_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(80, 4)).astype("float32")
    config = Config(Data(valid_size=20), Model(units=(4,)), train=Train(epochs=1))
    data = Dataset.from_arrays(x, (x[:, 0] > 0).astype(int), data=config.data)
    with pytest.raises(UserError, match="divide_rows has no effect without devices"):
        fit(config, data, divide_rows=True)
    with pytest.raises(UserError, match="devices"):
        fit(config, data, devices="some")  # pyright: ignore[reportArgumentType]
