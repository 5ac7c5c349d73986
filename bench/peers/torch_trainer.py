"""PyTorch as a contestant, by a plain loop of steps, either eager or with step and optimizer compiled."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false
# (peers are not installed where the code is checked)
import time
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.peers.architecture import dropout_rates, normed
from bench.peers.trainer import Epoch, Trainer
from bench.peers.workload import Workload, epoch_arrays

ACTIVATIONS = {"elu": nn.ELU, "selu": nn.SELU, "swish": nn.SiLU, "relu": nn.ReLU, "tanh": nn.Tanh}
"""Name of an activation function -> module."""


def network(model: Any, inputs: int, classes: int) -> nn.Sequential:
    """Return the network with a logits head. Batch normalisation has Keras's constants.

    Args:
        model: Architecture, as a `jaxdeep.config.Model` or something with its fields.
        inputs: D, features of a row.
        classes: C, number of classes.

    Returns:
        The layers in order.
    """
    if model.skip or model.head != "softmax":
        raise ValueError("PyTorch's contestant has neither skip connections nor a sigmoid head. Leave them out.")
    drop = {"dropout": nn.Dropout, "alpha_dropout": nn.AlphaDropout}[model.dropout]
    layers: list[nn.Module] = [_norm(inputs)] if model.batch_norm_input else []
    *rates, head_rate = dropout_rates(model)
    for fan_in, units, rate, is_normed in zip((inputs, *model.units), model.units, rates, normed(model), strict=False):
        place = model.batch_norm_place if is_normed else None
        layers += [drop(rate)] if rate else []
        layers += [_norm(fan_in)] if place == "input" else []
        layers.append(nn.Linear(fan_in, units))
        layers += [_norm(units)] if place == "before" else []
        layers.append(ACTIVATIONS[model.activation]())
        layers += [_norm(units)] if place == "after" else []
    layers += [drop(head_rate)] if head_rate else []
    return nn.Sequential(*layers, nn.Linear(model.units[-1], classes))


def nadam(parameters: Iterable[nn.Parameter], optim: Any) -> torch.optim.NAdam:
    """Return Keras 3's Nadam. Its momentum schedule is PyTorch's with a decay of 1.

    Args:
        parameters: Parameters to train.
        optim: A `jaxdeep.config.Optim` with the optimizer nadam, or something with its fields.

    Returns:
        The optimizer.
    """
    return torch.optim.NAdam(
        parameters,
        lr=optim.learning_rate,
        betas=(optim.beta_1, optim.beta_2),
        eps=optim.epsilon,
        momentum_decay=optim.momentum_decay,
        foreach=True,
    )


def build(workload: Workload, compile: bool = False, tf32: bool = False) -> Trainer:
    """Return the network with the workload's weights.

    Args:
        workload: Workload of the contest.
        compile: Whether the forward pass, the backward pass and the optimizer's step run through `torch.compile`.
        tf32: Whether matrix products are TF32 on a GPU. Otherwise they are float32.

    Returns:
        The trainer.
    """
    set_precision(tf32)
    torch.manual_seed(workload.seed)
    device = this_device()
    model = weighted(workload).to(device).train()
    optimizer = nadam(model.parameters(), SimpleNamespace(**workload.config["optim"]))

    def forward(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = model(x)
        return nn.functional.cross_entropy(logits, y), (logits.detach().argmax(1) == y).sum()

    def update() -> None:
        optimizer.step()

    loss_and_correct: Any = torch.compile(forward) if compile else forward
    step: Any = torch.compile(update) if compile else update

    def epoch(index: int) -> Epoch:
        x, y = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in epoch_arrays(workload, index))
        y = y.long()
        _synchronize(device)
        began = time.perf_counter()
        losses, correct = torch.zeros((), device=device), torch.zeros((), dtype=torch.long, device=device)
        for batch, labels in zip(x.split(workload.batch_size), y.split(workload.batch_size), strict=True):
            optimizer.zero_grad()
            loss, batch_correct = loss_and_correct(batch, labels)
            loss.backward()
            step()
            losses += loss.detach()
            correct += batch_correct
        mean, accuracy = losses.item() * workload.batch_size / len(y), correct.item() / len(y)
        _synchronize(device)
        seconds = time.perf_counter() - began
        return Epoch(seconds, seconds, mean, accuracy)

    return Trainer(epoch, platform(device), precision(device), lambda: device_memory(device))


def set_precision(tf32: bool) -> None:
    """Let PyTorch's matrix products be float32, or TF32 on a GPU. It was written without a GPU and is not run on one.

    Args:
        tf32: Whether products are TF32.
    """
    torch.set_float32_matmul_precision("high" if tf32 else "highest")


def weighted(workload: Workload) -> nn.Sequential:
    """Return the network with a logits head and the workload's weights, on the host.

    Args:
        workload: Workload of the contest.

    Returns:
        The network.
    """
    model = network(SimpleNamespace(**workload.config["model"]), workload.images.shape[1], workload.classes)
    dense = [layer for layer in model if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer, kernel, bias in zip(dense, workload.kernels, workload.biases, strict=True):
            layer.weight.copy_(torch.from_numpy(kernel.T))
            layer.bias.copy_(torch.from_numpy(bias))
    return model


def this_device() -> torch.device:
    """Return the first GPU, or the CPU if there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def platform(device: torch.device) -> str:
    """Return the platform for a `Trainer`.

    Args:
        device: Device of the network.

    Returns:
        "cpu" or "gpu".
    """
    return "gpu" if device.type == "cuda" else "cpu"


def precision(device: torch.device) -> str:
    """Return the precision of matrix products for a `Trainer`.

    Args:
        device: Device of the network.

    Returns:
        "float32", or "TF32" with PyTorch's setting.
    """
    chosen = torch.get_float32_matmul_precision()
    return "float32" if device.type == "cpu" or chosen == "highest" else f"TF32 ({chosen})"


def device_memory(device: torch.device) -> dict[str, Any]:
    """Return PyTorch's own account of its memory on the device.

    Args:
        device: Device of the network.

    Returns:
        `peak_bytes_in_use` on a GPU. Empty on a CPU.
    """
    return {"peak_bytes_in_use": torch.cuda.max_memory_allocated()} if device.type == "cuda" else {}


def _norm(features: int) -> nn.BatchNorm1d:
    """Return a batch normalisation with Keras's constants."""
    return nn.BatchNorm1d(features, eps=1e-3, momentum=0.01)


def _synchronize(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize()
