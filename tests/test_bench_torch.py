"""PyTorch's NAdam with the bench's settings is Keras's Nadam."""

from types import SimpleNamespace

import keras_oracle
import numpy as np
import pytest

torch = pytest.importorskip("torch")


@pytest.mark.usefixtures("x64")
def test_nadam_is_keras_nadam() -> None:
    """50 steps in float64."""
    import keras

    from bench.peers.torch_trainer import nadam
    from jaxdeep.config import Optim

    optim = Optim()
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    theirs = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in weights.items()}
    optimizer = nadam(theirs.values(), SimpleNamespace(**vars(optim)))
    state, apply = keras_oracle.optimize(
        keras.optimizers.Nadam(optim.learning_rate, optim.beta_1, optim.beta_2, optim.epsilon), weights
    )
    for _ in range(50):
        gradients = {name: rng.normal(size=value.shape) for name, value in weights.items()}
        for name, value in gradients.items():
            theirs[name].grad = torch.tensor(value)
        optimizer.step()
        weights, state = apply(state, gradients, weights)
    found = {name: value.detach().numpy() for name, value in theirs.items()}
    assert keras_oracle.difference(found, weights) < 1e-10
