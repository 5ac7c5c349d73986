"""What can be chosen by name, and how a choice is checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from jaxdeep.config.made import qualified_name
from jaxdeep.config.values import shown
from jaxdeep.errors import UserError

Scaling = Literal["none", "unit", "standardize"]
Activation = Literal[
    "linear", "sigmoid", "hard_sigmoid", "tanh", "softmax", "softplus", "softsign", "exponential",
    "relu", "leaky_relu", "rrelu", "prelu", "elu", "selu", "swish", "gelu", "mish",
    "thresholded_relu", "glu",
]  # fmt: skip
Initializer = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "variance_scaling", "orthogonal", "constant",
    "random_normal", "random_uniform", "truncated_normal", "identity", "zeros", "ones",
]  # fmt: skip
BiasInitializer = Literal["zeros", "ones", "constant", "random_normal", "random_uniform", "truncated_normal"]
InitMode = Literal["fan_in", "fan_out", "fan_avg"]
InitDistribution = Literal["truncated_normal", "normal", "uniform"]
Dropout = Literal["dropout", "alpha_dropout"]
DropoutSites = Literal["none", "head", "after_hidden", "every"]
NormPlace = Literal["before", "after", "input"]
Head = Literal["softmax", "sigmoid", "linear", "tanh", "softplus"]
Module = Literal["none"]
Task = Literal["classification", "multilabel", "regression"]
Loss = Literal["auto", "squared_error", "absolute_error"]
Optimizer = Literal[
    "nadam", "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamax", "adamw", "ftrl",
    "optax.adabelief", "optax.adadelta", "optax.adafactor", "optax.adagrad", "optax.adam", "optax.adamax",
    "optax.adamaxw", "optax.adamw", "optax.adan", "optax.amsgrad", "optax.fromage", "optax.lamb", "optax.lars",
    "optax.lion", "optax.nadam", "optax.nadamw", "optax.novograd", "optax.optimistic_gradient_descent",
    "optax.radam", "optax.rmsprop", "optax.rprop", "optax.sgd", "optax.sign_sgd", "optax.signum", "optax.sm3",
    "optax.yogi",
]  # fmt: skip
ScheduleKind = Literal["constant", "power", "exponential", "piecewise", "plateau", "onecycle", "cosine"]
LayerGroup = Literal["every", "hidden", "head"]
Layers = LayerGroup | tuple[int, ...]
Keep = Literal["best", "last"]
PruneScope = Literal["global", "layer"]
Monitor = Literal["val_loss", "val_accuracy"]
DType = Literal["float32", "float64"]
MatmulPrecision = Literal["highest", "default", "bfloat16"]
Kernels = Literal["auto", "xla", "fused"]

FUNCTION: Final = "a function is allowed"
"""Marks the type of a field that takes a function from Python beside its names."""

if TYPE_CHECKING:
    ActivationChoice = Activation | Callable[..., Any]
    InitializerChoice = Initializer | Callable[..., Any]
    OptimizerChoice = Optimizer | Callable[..., Any]
    ScheduleChoice = ScheduleKind | Callable[..., Any]
    LossChoice = Loss | Callable[..., Any]
    ModuleChoice = Module | Callable[..., Any]
else:  # the command line reads these types and takes names only
    ActivationChoice, InitializerChoice, OptimizerChoice, ScheduleChoice, LossChoice, ModuleChoice = (
        Annotated[Activation, FUNCTION],
        Annotated[Initializer, FUNCTION],
        Annotated[Optimizer, FUNCTION],
        Annotated[ScheduleKind, FUNCTION],
        Annotated[Loss, FUNCTION],
        Annotated[Module, FUNCTION],
    )


def check(name: str, value: Any, valid: bool, allowed: str) -> None:
    """Refuse a value.

    Args:
        name: Name of the field or the argument in messages.
        value: The value.
        valid: Whether it is allowed.
        allowed: What is allowed, in words.

    Raises:
        UserError: The value is not valid.
    """
    if not valid:
        raise UserError(f"{name} is {shown(value)}. Allowed: {allowed}.")


def check_layers(name: str, value: Layers, layers: int) -> None:
    """Refuse layers that a network does not have.

    Args:
        name: Name of the field in messages.
        value: Group of layers or their indices.
        layers: Number of dense layers, with the output layer.

    Raises:
        UserError: An index is given twice or the network has no such layer. Or there is no index.
    """
    if isinstance(value, str):
        return
    allowed = f"{', '.join(get_args(LayerGroup))}, or different indices in 0 .. {layers - 1}"
    valid = bool(value) and len(set(value)) == len(value) and all(0 <= index < layers for index in value)
    check(name, value, valid, allowed)


def check_is_used(part: str, values: Any, chosen: Sequence[Any], users: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a field that the choices would silently ignore.

    Args:
        part: Name of the part in messages.
        values: The part, a dataclass.
        chosen: Names or functions that were chosen in it.
        users: Choices that use a field, by the field. A field counts as given if it differs from its default.

    Raises:
        UserError: A field is given that no choice uses.
    """
    defaults = {field.name: field.default for field in fields(values)}
    for name, kinds in users.items():
        value = getattr(values, name)
        if value != defaults[name] and not any(choice in kinds for choice in chosen):
            names = " and ".join(choice if isinstance(choice, str) else qualified_name(choice) for choice in chosen)
            raise UserError(
                f"{part}.{name} is {value!r} and has no effect with {names}. Remove it, or use {_any_of(kinds)}."
            )


def layer_indices(layers: Layers, count: int) -> tuple[int, ...]:
    """Return the indices of chosen dense layers.

    Args:
        layers: Group of layers or their indices.
        count: Number of dense layers. The output layer is the last.

    >>> layer_indices("hidden", 3), layer_indices("head", 3), layer_indices((1,), 3)
    ((0, 1), (2,), (1,))
    """
    match layers:
        case "every":
            return tuple(range(count))
        case "hidden":
            return tuple(range(count - 1))
        case "head":
            return (count - 1,)
    return layers


def _any_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
