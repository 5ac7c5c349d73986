"""jaxdeep as a contestant that predicts, by its `mc_dropout` or by one plain pass."""

import jax
import numpy as np

from bench.peers.jax_device import device_peak, platform, precision
from bench.peers.jaxdeep_trainer import begun
from bench.peers.predictor import SAMPLES, PeerPredictor
from bench.peers.workload import Workload
from jaxdeep.analysis.uncertainty import mc_dropout
from jaxdeep.nn.layers import MaskBits
from jaxdeep.train.forward import model_of, scaled


def build(workload: Workload, mask_bits: MaskBits = 16, dropout: bool = True, tf32: bool = False) -> PeerPredictor:
    """Return the network with its initial weights. The first call compiles its programs.

    Args:
        workload: Workload of the contest.
        mask_bits: Random bits for each element of a dropout mask. `mc_dropout` itself chooses 16.
        dropout: Whether a prediction is made by MC dropout. Otherwise it is one plain pass.
        tf32: Whether matrix products are TF32 on a GPU.

    Returns:
        The predictor.
    """
    config, _, data, state = begun(workload, tf32)
    model, weights = model_of(config, data), (state.params, state.batch_stats)
    images = jax.block_until_ready(scaled(config, data, data.train.images))
    rate, key = config.model.dropout_rate, jax.random.key(workload.seed)

    @jax.jit
    def probabilities(params: jax.Array, batch_stats: jax.Array, images: jax.Array) -> jax.Array:
        return jax.nn.softmax(model.apply(params, batch_stats, images)[0])

    def plain() -> np.ndarray:
        return np.asarray(probabilities(*weights, images))

    def predict(index: int) -> tuple[np.ndarray, np.ndarray | None]:
        if not dropout:
            return plain(), None
        own_key = jax.random.fold_in(key, index)
        prediction = mc_dropout(model, *weights, images, own_key, SAMPLES, dropout_rate=rate, mask_bits=mask_bits)
        return np.asarray(prediction.mean), np.asarray(prediction.std)

    return PeerPredictor(predict, plain, platform(), precision(config.train.matmul_precision), device_peak)
