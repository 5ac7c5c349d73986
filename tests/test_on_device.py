"""Values on the device: a copy of NumPy's, for which nothing is compiled."""

import numpy as np
from small_data import SMALL, compilations, small_dataset

from jaxdeep.data.device import on_device
from jaxdeep.data.folds import stratified_folds
from jaxdeep.data.padded import padded
from jaxdeep.train.programs import traced


def test_the_device_has_a_copy() -> None:
    values = np.zeros(1 << 16, np.float32)  # JAX shares such memory with NumPy by itself
    array = on_device(values)
    values[:] = 1
    assert not np.asarray(array).any()


def test_types_are_those_of_jax() -> None:
    assert on_device(np.arange(3)).dtype == np.int32
    assert on_device(0.5, "bfloat16").dtype == "bfloat16"
    assert on_device(3, np.int32).shape == ()


def test_a_data_set_and_its_folds_compile_nothing() -> None:
    with compilations() as heard:
        data = small_dataset(SMALL)
        stratified_folds(data, SMALL.data, 3)
        padded(data)
        traced(SMALL)
    assert heard == []
