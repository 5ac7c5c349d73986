"""A trained network as an ONNX model, from raw rows to class probabilities."""

import json
import math
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import jax
import numpy as np

from jaxdeep.config import Config
from jaxdeep.config.made import qualified_name
from jaxdeep.config.model import ALPHAS
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.nn.activations import SELU_ALPHA, SELU_SCALE
from jaxdeep.nn.block import Block
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.nn.folding import EPSILON
from jaxdeep.nn.layers import RRELU_SLOPES
from jaxdeep.train.forward import model_of

OPSET: Final = 17
"""Version of ONNX's operators."""
IR: Final = 8
"""Version of ONNX's file format, which runtimes since 2022 read."""
INPUT, OUTPUT, NUMBERS, BATCH = "rows", "probabilities", "numbers", "batch"
"""Names of the input, of the output and of their first axis."""
OPERATORS: Final = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softmax": "Softmax",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "exponential": "Exp",
    "relu": "Relu",
}
"""Operator of each activation that ONNX has as it is."""
WITH_ALPHA: Final = {"leaky_relu": "LeakyRelu", "elu": "Elu", "thresholded_relu": "ThresholdedRelu"}
"""Operator of each activation that takes an alpha."""


def check_onnx(config: Config) -> None:
    """Refuse what cannot be written as ONNX.

    Args:
        config: Configuration of the network.

    Raises:
        UserError: The package onnx is not installed, the activation is a function of the user's own, the network is, or
            it computes in float64.
    """
    if find_spec("onnx") is None:
        raise UserError("onnx=True needs the package onnx, which is not installed. Install jaxdeep[onnx].")
    if not isinstance(config.model.module, str):
        raise UserError("model.module is a network of your own, which ONNX cannot express. Export without onnx.")
    if not isinstance(config.model.activation, str):
        raise UserError(
            f"model.activation is {qualified_name(config.model.activation)}, a function of your own, and ONNX has no "
            "operator for it. Export without onnx."
        )
    if config.train.dtype != "float32":
        raise UserError(
            f"train.dtype is {config.train.dtype}, and ONNX runtimes lack operators of that type. Export without onnx."
        )


def onnx_model(
    config: Config, data: Dataset, params: Params, batch_stats: BatchStats, metadata: Mapping[str, Any]
) -> bytes:
    """Return a network as an ONNX model.

    It takes rows [batch, *row shape] as the training rows were given: of uint8, or of float32. It takes float64 where
    the rows are stored less an offset. The output is probabilities [batch, C].

    Args:
        config: Configuration of the network. Its activation has a name.
        data: Data set that it was trained on, for its scaling constants.
        params: Weights of the network.
        batch_stats: Moving statistics of batch normalisation.
        metadata: JSON values by name, which the model keeps as text.

    Returns:
        The model as ONNX serialises it.
    """
    graph = _Graph()
    x = graph.scaled(config, data)
    for stack in model_of(config, data).stacks:
        for index in range(stack.length):
            weights, stats = jax.tree.map(
                lambda leaf, index=index: np.asarray(leaf[index]), (params[stack.name], batch_stats[stack.name])
            )
            x = graph.layer(stack.block, weights, stats, x)
    if data.task != "classification":
        graph.answers(config, data, x)
    elif config.model.head == "sigmoid":
        classes = (graph.node("Sigmoid", graph.node("Neg", x)), graph.node("Sigmoid", x))
        graph.node("Concat", *classes, output=OUTPUT, axis=1)
    else:
        graph.node("Softmax", x, output=OUTPUT, axis=-1)
    return graph.serialised(data, metadata)


class _Graph:
    """Nodes and constants of a model that is being built."""

    def __init__(self) -> None:
        onnx: Any = import_module("onnx")
        self._helper, self._numpy, self._types = onnx.helper, onnx.numpy_helper, onnx.TensorProto
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._input = self._types.FLOAT

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        name = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant and return its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(self._numpy.from_array(np.array(values, dtype, order="C"), name))
        return name

    def scaled(self, config: Config, data: Dataset) -> str:
        """Return the network's input, made of raw rows as the training rows are scaled."""
        columns = data.info.columns if data.info else None
        rows = self.node("Flatten", INPUT, axis=1)
        if columns is not None and columns.offset is not None:
            self._input = self._types.DOUBLE
            rows = self.node("Sub", rows, self.constant(columns.offset[None], np.float64))
        elif (columns.dtype if columns else str(data.train.images.dtype)) == "uint8":
            self._input = self._types.UINT8
        if self._input != self._types.FLOAT:
            rows = self.node("Cast", rows, to=self._types.FLOAT)
        if config.data.scaling == "none":
            return rows
        mean, scale = (np.asarray(constant) for constant in (data.mean, data.scale))
        return self.node("Mul", self.node("Sub", rows, self.constant(mean)), self.constant(scale))

    def layer(self, block: Block, weights: Mapping[str, Any], stats: Mapping[str, Any], x: str) -> str:
        """Add a layer and return its output, in the order of `Block`."""

        def norm(name: str, x: str) -> str:
            own = (weights[name]["scale"], weights[name]["bias"], stats[name]["mean"], stats[name]["var"])
            return self.node("BatchNormalization", x, *map(self.constant, own), epsilon=EPSILON)

        shortcut = x
        if block.norm_input:
            x = norm("norm_input", x)
        if block.norm_place == "input":
            x = norm("norm", x)
        dense = weights["dense"]
        x = self.node(
            "Gemm", x, *(self.constant(dense[name]) for name in ("kernel", "bias") if name in dense), transB=1
        )
        if block.norm_place == "before":
            x = norm("norm", x)
        x = self.activated(block, weights, x)
        if block.norm_place == "after":
            x = norm("norm", x)
        return self.node("Add", x, shortcut) if block.skip else x

    def activated(self, block: Block, weights: Mapping[str, Any], x: str) -> str:
        """Add an activation and return its output."""
        name: Any = block.activation
        alpha = ALPHAS.get(name) if block.alpha is None else block.alpha
        if name in OPERATORS:
            return self.node(OPERATORS[name], x)
        if name in WITH_ALPHA:
            return self.node(WITH_ALPHA[name], x, alpha=alpha)
        match name:
            case "hard_sigmoid":
                return self.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)
            case "selu":
                return self.node("Selu", x, alpha=SELU_ALPHA, gamma=SELU_SCALE)
            case "rrelu":
                return self.node("LeakyRelu", x, alpha=sum(RRELU_SLOPES) / 2)
            case "prelu":
                return self.node("PRelu", x, self.constant(weights["prelu"]["slope"]))
            case "swish":
                return self.node("Mul", x, self.node("Sigmoid", x))
            case "mish":
                return self.node("Mul", x, self.node("Tanh", self.node("Softplus", x)))
            case "gelu":
                erf = self.node("Erf", self.node("Mul", x, self.constant(math.sqrt(0.5))))
                share = self.node("Mul", self.node("Add", erf, self.constant(1)), self.constant(0.5))
                return self.node("Mul", x, share)
            case "glu":
                halves = [f"{half}_{len(self._nodes)}" for half in ("value", "gate")]
                self._nodes.append(self._helper.make_node("Split", [x], halves, axis=1))
                return self.node("Mul", halves[0], self.node("Sigmoid", halves[1]))
            case "linear":
                return x
        raise ValueError(f"the activation {name} has no ONNX operator. Add it to onnx_graph.py.")

    def answers(self, config: Config, data: Dataset, x: str) -> None:
        """Add the output for several labels, or for numbers in the units of the targets."""
        if data.task == "multilabel":
            self.node("Sigmoid", x, output=OUTPUT)
            return
        targets = data.info.targets if data.info else None
        zero, low, high = (np.zeros(1), -np.ones(1), np.ones(1)) if targets is None else targets.bounds
        scale, shift = (np.ones(1), np.zeros(1)) if targets is None else (targets.scale, targets.shift)
        head = config.network.head
        if head == "softplus":
            x = self.node("Add", self.node("Softplus", x), self.constant(zero))
        elif head == "tanh":
            x = self.node("Mul", self.node("Tanh", x), self.constant((np.asarray(high) - low) / 2))
            x = self.node("Add", x, self.constant((np.asarray(high) + low) / 2))
        x = self.node("Mul", x, self.constant(scale))
        self.node("Add", x, self.constant(shift), output=NUMBERS)

    def serialised(self, data: Dataset, metadata: Mapping[str, Any]) -> bytes:
        """Return the whole model."""
        rows = self._helper.make_tensor_value_info(INPUT, self._input, [BATCH, *data.image_shape])
        output = NUMBERS if data.task == "regression" else OUTPUT
        answers = self._helper.make_tensor_value_info(output, self._types.FLOAT, [BATCH, data.classes])
        graph = self._helper.make_graph(self._nodes, "network", [rows], [answers], self._constants)
        opset = self._helper.make_opsetid("", OPSET)
        model = self._helper.make_model(graph, producer_name="jaxdeep", opset_imports=[opset], ir_version=IR)
        self._helper.set_model_props(model, {name: json.dumps(value) for name, value in metadata.items()})
        return model.SerializeToString()
