"""Trained networks made sparse, plain or small: pruning, folded batch normalisation, and weights of fewer bits."""

from jaxdeep.compress.folding import fold_batch_norm
from jaxdeep.compress.pruning import finetune, prune, sparsity_of, zero_below
from jaxdeep.compress.quantizing import Kind, QuantizedNetwork, quantize
from jaxdeep.compress.sizes import csr_bytes, npz_bytes, weight_bytes

__all__ = [
    "Kind",
    "QuantizedNetwork",
    "csr_bytes",
    "finetune",
    "fold_batch_norm",
    "npz_bytes",
    "prune",
    "quantize",
    "sparsity_of",
    "weight_bytes",
    "zero_below",
]
