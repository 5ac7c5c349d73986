"""The floor's and the parts' arithmetic, and what they count."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import SMALL, small_dataset

from bench import floor, parts
from bench.peers import rates, step_cost
from experiments.cifar import CONFIGS

TASK = {"config": "selu", "layers": 3, "batch_size": 4, "synthetic": False}


def ways(**microseconds: float) -> dict[str, dict[str, float]]:
    return {name: {"xla nn": us, "numpy": us + 5} for name, us in microseconds.items()}


def entry() -> dict:
    """Two products, the second one twice and quicker as a batch; the best ways are on one thread and on all."""
    shapes = ([2, 3, 4], [5, 6, 7])
    listed = [
        {"name": name, "shape": shape, "times": times}
        for name, shape, times in zip(("a", "b"), shapes, (1, 2), strict=True)
    ]
    one = ways(**{"2x3x4": 1.0, "5x6x7": 8.0, "2x5x6x7": 12.0, "copy": 4.0})
    several = ways(**{"2x3x4": 3.0, "5x6x7": 9.0, "2x5x6x7": 10.0, "copy": 2.0})
    return {
        **TASK,
        "products": listed,
        "copy_bytes": 100,
        "moved_bytes": {"update": 700, "batch": 300},
        "cost_analysis": {"flops": 1e6, "bytes": 2e6},
        "round": [{"step_us": step, "one_us": one, "all_us": several} for step in (42.0, 62.0, 31.0)],
    }


def test_the_floor_is_the_best_products_and_the_bytes_at_the_best_rate_of_copying():
    assert floor.floor_us(entry()) == pytest.approx(1.0 + 10.0 + (700 + 300) / 200 * 2.0)
    assert floor.share(entry()) == pytest.approx((21 / 42, 21 / 62, 21 / 31))
    rows = {row[0]: row for row in floor.table(entry())}
    assert rows["floor"][-1] == "21"
    assert rows["b, 5 x 6 x 7"][1:] == ("2", "0 GFLOP/s", "0 GFLOP/s", "10.0")


@pytest.mark.parametrize(("name", "more"), [("selu", 0), ("bn", 2 * 32 * 3_072 * 100)])
def test_the_products_are_those_of_the_chapters_network(name, more):
    """76 MFLOP: no gradient for the inputs, unless they are normalised."""
    found = floor.products(CONFIGS[name].config.to_dict(), 3_072, 10)
    first, hidden, head = 2 * 32 * 3_072 * 100, 2 * 32 * 100 * 100, 2 * 32 * 100 * 10
    assert sum(one.times * one.flops for one in found) == 2 * first + more + 19 * 3 * hidden + 3 * head


@pytest.mark.parametrize("layout", ["nn", "nt", "tn", "tt"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (5, 2, 3, 4)])
def test_every_layout_of_a_product_can_be_measured(layout, shape):
    assert rates._product(shape, layout, "highest")() > 0


@pytest.mark.slow
def test_the_cost_of_further_layers_is_that_of_the_second_one():
    config = replace(SMALL, model=replace(SMALL.model, units=(12,) * 4))
    data, hyper = small_dataset(config), jax.tree.map(jnp.float32, config.hyper())

    def flops(layers: int) -> float:
        units = (12,) * layers
        return step_cost.step_cost(replace(config, model=replace(config.model, units=units)), hyper, data)["flops"]

    each = flops(4) - flops(3)
    assert each == flops(6) - flops(5)
    products = 3 * 2 * config.train.batch_size * 12 * 12
    assert products < each < 2 * products + 100 * 12 * 12


def test_a_part_is_what_a_program_adds_to_the_one_before():
    rounds = [
        {"data": 1.0, "forward": 3.0, "backward": 6.0, "step": 10.0, "step_called": 15.0},
        {"data": 1.0, "forward": 4.0, "backward": 6.0, "step": 20.0, "step_called": 26.0},
        {"data": 2.0, "forward": 4.0, "backward": 8.0, "step": 10.0, "step_called": 17.0},
    ]
    rows = parts.table({**TASK, "round_ms": rounds})
    medians = [float(row[1].split()[0]) for row in rows[1:]]
    assert medians == [1.0, 2.0, 3.0, 4.0, 10.0, 6.0]
    assert rows[1][2] == "10%"
    np.testing.assert_array_equal([row[0] for row in rows[1:5]], ["data", "forward", "backward", "optimizer"])
