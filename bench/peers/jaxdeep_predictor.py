"""jaxdeep as a contestant that predicts: its `mc_dropout`, or one plain pass."""

import jax
import numpy as np

from bench.peers.jax_device import device_peak, platform, precision
from bench.peers.jaxdeep_trainer import begun
from bench.peers.predictor import SAMPLES, PeerPredictor
from bench.peers.workload import Workload
from jaxdeep.analysis.uncertainty import mc_dropout
from jaxdeep.nn.layers import MaskBits
from jaxdeep.train.forward import model_of, scaled


def build(workload: Workload, mask_bits: MaskBits = 16, dropout: bool = True) -> PeerPredictor:
    """The network with its initial weights; programs are compiled in the first call.

    Args:
        workload: of the contest.
        mask_bits: as of `mc_dropout`; 16 is its own choice.
        dropout: whether a prediction is one by MC dropout; otherwise it is one plain pass.
    """
    config, _, data, state = begun(workload)
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
        its_key = jax.random.fold_in(key, index)
        found = mc_dropout(model, *weights, images, its_key, SAMPLES, dropout_rate=rate, mask_bits=mask_bits)
        return np.asarray(found.mean), np.asarray(found.std)

    return PeerPredictor(predict, plain, platform(), precision(), device_peak)
