"""`train.matmul_precision`: in every product of every program, without effect on a CPU's bits, and of earlier runs."""

import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from small_data import SMALL, lean_compilation, small_dataset

import jaxdeep
from bench.compilers import programs, small
from bench.networks import KERNELS
from jaxdeep.config import Config
from jaxdeep.config.choices import MatmulPrecision
from jaxdeep.config.identity import comparable
from jaxdeep.errors import UserError
from jaxdeep.train.fit import fit
from jaxdeep.train.forward import model_of, probabilities

EXPECTED: dict[MatmulPrecision, str] = {
    "highest": r"precision = \[HIGHEST, HIGHEST\]",
    "default": r"precision = \[DEFAULT, DEFAULT\] :",
    "bfloat16": "lhs_precision_type = bf16, rhs_precision_type = bf16, accumulation_type = f32",
}
"""What every product says in StableHLO."""
LAYERS = SMALL.updated({"train.diagnostics": True, "train.epochs": 3})


def products(text: str) -> list[str]:
    return [line for line in text.splitlines() if "dot_general" in line]


@pytest.mark.parametrize("precision", EXPECTED)
@pytest.mark.parametrize("name", ["bn", "alpha_dropout"])
def test_every_product_of_every_program_has_it(name: str, precision: MatmulPrecision) -> None:
    shape, config = KERNELS[name]
    config = config.updated({"train.matmul_precision": precision, "train.diagnostics": True})
    seen = set()
    for program, trials, _, function, arguments, donated, *_ in programs(*small(shape, config)):
        if trials > 8:
            continue
        traced = jax.jit(function, donate_argnums=donated).trace(*arguments)
        for platform in ("cuda", "tpu"):
            found = products(traced.lower(lowering_platforms=(platform,)).as_text())
            assert bool(found) == (program != "start")
            assert [line for line in found if not re.search(EXPECTED[precision], line)] == []
        seen.add(program)
    assert {"start", "epoch", "evaluate", "lr_finder"} <= seen


@pytest.mark.parametrize("precision", EXPECTED)
def test_predictions_have_it_too(precision: MatmulPrecision) -> None:
    config = SMALL.updated({"train.matmul_precision": precision})
    data = small_dataset(config)
    params, batch_stats = model_of(config, data).init(jax.random.key(0))
    traced = probabilities.trace(config, params, batch_stats, data, data.test.images)
    found = products(traced.lower(lowering_platforms=("tpu",)).as_text())
    assert len(found) == 3  # the two equal layers are one loop
    assert all(re.search(EXPECTED[precision], line) for line in found)


def test_no_product_of_the_library_leaves_its_precision_to_jax() -> None:
    root = Path(jaxdeep.__file__).parent
    product = re.compile(r"(jnp|lax|numpy)\.(dot|dot_general|matmul|tensordot|einsum|vdot|inner)\(")
    lines = [line for path in root.rglob("*.py") for line in path.read_text().splitlines() if product.search(line)]
    assert len(lines) == 4
    assert all("precision" in line for line in lines)


def test_the_precision_of_jax_itself_changes_nothing() -> None:
    shape, config = KERNELS["selu"]
    (epoch,) = (given for given in programs(*small(shape, config)) if given[:2] == ("epoch", 1))
    with jax.default_matmul_precision("bfloat16"):
        text = jax.jit(epoch[3]).trace(*epoch[4]).lower(lowering_platforms=("tpu",)).as_text()
    assert all("HIGHEST, HIGHEST" in line for line in products(text))


def test_a_cpu_gives_the_same_bits_for_each() -> None:
    with lean_compilation():
        runs = [
            fit(config, small_dataset(config), seed=1)
            for config in (LAYERS.updated({"train.matmul_precision": precision}) for precision in EXPECTED)
        ]
    for run in runs[1:]:
        for one, other in zip(*(jax.tree.leaves((of.params, of.test_loss)) for of in (runs[0], run)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_bfloat16_is_refused_for_float64() -> None:
    with pytest.raises(UserError, match=r"matmul_precision is 'bfloat16'\. Allowed: highest or default with"):
        Config().updated({"train.dtype": "float64", "train.matmul_precision": "bfloat16"})


def test_a_run_from_before_the_field_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_now = Config.to_dict

    def of_then(config: Config) -> dict:
        parts = of_now(config)
        del parts["train"]["matmul_precision"]
        return parts

    data = small_dataset(SMALL)
    with lean_compilation():
        whole = fit(SMALL, data, seed=1)
        with monkeypatch.context() as patch:
            patch.setattr(Config, "to_dict", of_then)
            fit(SMALL, data, seed=1, checkpoints=tmp_path, until=2)
        seen: list[int] = []
        run = fit(SMALL, data, seed=1, checkpoints=tmp_path, on_epoch=lambda history: seen.append(len(history)))
        assert seen[-2:] == [3, 4]
        assert 1 not in seen
        for one, other in zip(jax.tree.leaves(run.params), jax.tree.leaves(whole.params), strict=True):
            np.testing.assert_array_equal(one, other)
        other = SMALL.updated({"train.matmul_precision": "default"})
        with pytest.raises(UserError, match="matmul_precision"):
            fit(other, data, seed=1, checkpoints=tmp_path)
    stored = {"config": json.loads(json.dumps(of_then(SMALL)))}
    assert Config.from_dict(stored["config"]) == SMALL
    assert comparable(stored) == comparable({"config": SMALL.to_dict()})
    assert comparable(stored) != comparable({"config": other.to_dict()})
