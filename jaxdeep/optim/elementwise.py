"""Find out whether an optimizer treats each number of a variable alike and by itself.

Such an optimizer may update a stack of layers at once, and gives what it gives for each layer. Adam and Lion are of
this kind. LARS, LAMB and AdaFactor look at a variable as a whole.

The optimizer is traced twice: once with each layer apart, and once with the stacks. Each update becomes an expression
of gradients, weights and scalars. The optimizer works element by element if both give the same expressions of
element-wise operations, and if a layer's update has its own gradients and weights alone.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final, NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal

ELEMENTWISE: Final = frozenset({
    "abs", "add", "and", "atan2", "cbrt", "ceil", "clamp", "convert_element_type", "copy", "copy_p", "cos", "div", "eq",
    "erf", "erf_inv", "exp", "exp2", "expm1", "floor", "ge", "gt", "integer_pow", "is_finite", "le", "log", "log1p",
    "logistic", "lt", "max", "min", "mul", "ne", "neg", "nextafter", "not", "or", "pow", "rem", "round", "rsqrt",
    "select_n", "sign", "sin", "sqrt", "square", "stop_gradient", "sub", "tan", "tanh", "xor",
})  # fmt: skip
"""Names of JAX's operations that compute an element of their result from the same element of their arguments."""
OF_SHAPES: Final = ("shape", "sharding", "out_sharding", "accuracy", "broadcast_dimensions")
"""Names of an operation's settings that do not tell stacks and layers apart, or are not used here."""
STEPS: Final = 2
"""Steps that are traced. The state of the second step is not the first one."""


class Value(NamedTuple):
    """A value of a trace.

    Attributes:
        number: Number of its expression. Equal expressions have equal numbers. None if elements are mixed.
        variables: Variables that it is made of, each the index of a stack and of a layer.
    """

    number: int | None
    variables: frozenset[tuple[int, int]] = frozenset()


class Expressions:
    """Numbers of expressions, the same for equal ones."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._next = count()

    def number(self, *expression: Any) -> int:
        """Return the number of an expression, of the name of its operation and the numbers of its arguments."""
        return self._numbers.setdefault(expression, next(self._next))

    def outputs(self, closed: Any, values: Sequence[Value]) -> list[Value]:
        """Return the values that a traced function returns.

        Args:
            closed: Traced function.
            values: Values of its arguments.
        """
        jaxpr = closed.jaxpr
        known = dict(zip(jaxpr.invars, values, strict=True))
        known |= {name: self._constant(value) for name, value in zip(jaxpr.constvars, closed.consts, strict=True)}

        def read(atom: Any) -> Value:
            return self._constant(atom.val) if isinstance(atom, Literal) else known[atom]

        for equation in jaxpr.eqns:
            found = self._results(equation, list(map(read, equation.invars)))
            known.update(zip(equation.outvars, found, strict=True))
        return list(map(read, jaxpr.outvars))

    def _constant(self, value: Any) -> Value:
        """Return the value of a constant. An array has other elements in other places."""
        if np.ndim(value):
            return Value(None)
        return Value(self.number("constant", str(value), str(getattr(value, "dtype", type(value)))))

    def _results(self, equation: Any, arguments: list[Value]) -> list[Value]:
        """Return the values that an operation returns."""
        name, params = equation.primitive.name, equation.params
        inner = params.get("jaxpr", params.get("call_jaxpr"))
        if hasattr(inner, "consts") and len(inner.jaxpr.invars) == len(arguments) and name not in ("while", "scan"):
            return self.outputs(inner, arguments)
        variables = frozenset[tuple[int, int]]().union(*(argument.variables for argument in arguments))
        shapes = [atom.aval.shape for atom in equation.invars]
        if name == "broadcast_in_dim" and shapes[0] in ((), params["shape"]):
            return arguments
        is_scalar = not variables and not any((*shapes, *(atom.aval.shape for atom in equation.outvars)))
        if any(argument.number is None for argument in arguments) or not (name in ELEMENTWISE or is_scalar):
            return [Value(None, variables)] * len(equation.outvars)
        settings = str(sorted((key, str(value)) for key, value in params.items() if key not in OF_SHAPES))
        call = (name, settings, *(argument.number for argument in arguments))
        return [Value(self.number(place, *call), variables) for place in range(len(equation.outvars))]


@lru_cache(maxsize=256)
def is_elementwise(make: Callable[[Any], Any], structure: Any, shapes: tuple[tuple[int, ...], ...], dtype: str) -> bool:
    """Return whether an optimizer may update stacks of layers in place of the layers.

    Args:
        make: Function of the learning rate that returns an optax transformation.
        structure: Tree structure of the weights.
        shapes: Shape [L, ...] of each stack of weights, in the order of the structure's leaves.
        dtype: Type of the weights and of the learning rate.
    """
    expressions = Expressions()
    layers = [[jax.ShapeDtypeStruct(shape[1:], dtype)] * shape[0] for shape in shapes]
    stacks = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    try:
        apart, of_state = _updates(make, structure.unflatten(layers), layers, dtype, expressions)
        together, state = _updates(make, structure.unflatten(stacks), [[stack] for stack in stacks], dtype, expressions)
    except Exception:  # a user's own function may raise anything. It is refused where it is used
        return False
    if any(value.number is None or len(value.variables) > 1 for value in (*of_state, *state)):
        return False
    return all(
        value.number is not None
        and value.number == of_stack[0].number
        and value.variables <= {(index, layer)}
        and of_stack[0].variables <= {(index, 0)}
        for of_layers, of_stacks in zip(apart, together, strict=True)
        for index, (of_layer, of_stack) in enumerate(zip(of_layers, of_stacks, strict=True))
        for layer, value in enumerate(of_layer)
    )


def _updates(
    make: Callable[[Any], Any], tree: Any, leaves: list[list[Any]], dtype: str, expressions: Expressions
) -> tuple[list[list[list[Value]]], list[Value]]:
    """Trace a few steps of an optimizer.

    Args:
        make: Function of the learning rate that returns an optax transformation.
        tree: Shapes of the weights.
        leaves: The same shapes, the shapes of each stack in a list.
        dtype: Type of the weights and of the learning rate.
        expressions: Numbers of expressions.

    Returns:
        The update of each step, as a list of each stack's variables. Then the leaves of the last state.
    """

    def steps(rate: Any, weights: Sequence[Any], gradients: Sequence[Any]) -> Any:
        transformation, updates = make(rate), []
        state = transformation.init(weights[0])
        for params, gradient in zip(weights, gradients, strict=True):
            update, state = transformation.update(gradient, state, params)
            updates.append(update)
        return updates, state

    with jax.numpy_dtype_promotion("standard"):
        closed, shapes = jax.make_jaxpr(steps, return_shape=True)(
            jax.ShapeDtypeStruct((), dtype), [tree] * STEPS, [tree] * STEPS
        )
    if jax.tree.structure(shapes[0]) != jax.tree.structure([tree] * STEPS):
        raise ValueError("the updates have another structure than the weights")
    places = [(index, layer) for index, stack in enumerate(leaves) for layer in range(len(stack))]
    arguments = [Value(expressions.number("rate"))]
    for kind in ("weights", "gradients"):
        for step in range(STEPS):
            arguments += [Value(expressions.number(kind, step, place[0]), frozenset({place})) for place in places]
    found = iter(expressions.outputs(closed, arguments))
    return [[_take(found, len(stack)) for stack in leaves] for _ in range(STEPS)], list(found)


def _take(values: Iterator[Value], size: int) -> list[Value]:
    """Return the next values."""
    return [next(values) for _ in range(size)]
