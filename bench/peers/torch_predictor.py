"""PyTorch as a contestant that predicts, by a loop of passes in inference mode with the dropout modules in training."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false
# (peers are not installed where the code is checked)
import numpy as np
import torch
from torch import nn

from bench.peers.predictor import SAMPLES, PeerPredictor
from bench.peers.torch_trainer import device_memory, platform, precision, set_precision, this_device, weighted
from bench.peers.workload import Workload, scaled


def build(workload: Workload, tf32: bool = False) -> PeerPredictor:
    """Return the network with the workload's weights, and the images on the device.

    Args:
        workload: Workload of the contest.
        tf32: Whether matrix products are TF32 on a GPU. Otherwise they are float32.

    Returns:
        The predictor.
    """
    set_precision(tf32)
    torch.manual_seed(workload.seed)
    device = this_device()
    model = weighted(workload).to(device).eval()
    x = torch.from_numpy(scaled(workload)).to(device)

    @torch.inference_mode()
    def predict(_: int) -> tuple[np.ndarray, np.ndarray]:
        _set_dropout(model, True)
        samples = torch.stack([model(x).softmax(1) for _ in range(SAMPLES)])
        return samples.mean(0).cpu().numpy(), samples.std(0, correction=0).cpu().numpy()

    @torch.inference_mode()
    def plain() -> np.ndarray:
        _set_dropout(model, False)
        return model(x).softmax(1).cpu().numpy()

    return PeerPredictor(predict, plain, platform(device), precision(device), lambda: device_memory(device))


def _set_dropout(model: nn.Sequential, on: bool) -> None:
    """Switch the dropout modules of a network on or off."""
    for layer in model:
        if isinstance(layer, nn.Dropout | nn.AlphaDropout):
            layer.train(on)
