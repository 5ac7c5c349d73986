"""One layer of a network as a Flax module: dropout, batch normalisation, the dense product and the activation."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxdeep.config.choices import ActivationChoice, Dropout, DType, MatmulPrecision, NormPlace
from jaxdeep.config.model import ALPHAS
from jaxdeep.nn.activations import activation
from jaxdeep.nn.layers import DROPOUTS, Dense, Draws, MaskBits, PReLU, dropout_mask, rrelu, rrelu_slopes

RRELU_DRAW = 1
"""Number that a layer's key is folded with for RReLU's slopes. The dropout mask is drawn from the key itself."""


class Block(nn.Module):
    """One layer of a network.

    It runs these operations in order. All but the dense product and the activation are optional.

    - Batch normalisation of the network's input.
    - Dropout of the input.
    - Batch normalisation of the input.
    - Dense product.
    - Batch normalisation before the activation.
    - Activation.
    - Batch normalisation after the activation.
    - Addition of the layer's input, for a skip connection.

    Batch normalisation has Keras's momentum 0.99, epsilon 1e-3 and biased moving variance.

    Attributes:
        units: Number of units.
        activation: Name of the activation or the function itself.
        alpha: Parameter of the activation. None keeps the activation's own.
        kernel_init: Initialiser of the kernel.
        bias_init: Initialiser of the bias. None leaves the bias out.
        norm_input: Whether the network's input is normalised, before its dropout.
        norm_place: Place of the batch normalisation, "before" or "after" the activation or "input". None leaves it out.
        settles: Whether a batch normalisation at that place sets the rows outside the mask to 0.
        dropout: Name of the dropout in DROPOUTS. None leaves it out.
        skip: Whether the input is added to the output. Both must have the same width.
        dtype: Type of parameters and arithmetic.
        precision: Precision of the dense product.
    """

    units: int
    activation: ActivationChoice
    alpha: float | None
    kernel_init: nn.initializers.Initializer
    bias_init: nn.initializers.Initializer | None
    norm_input: bool
    norm_place: NormPlace | None
    settles: bool
    dropout: Dropout | None
    skip: bool
    dtype: DType
    precision: MatmulPrecision = "highest"

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        draws: Draws = Draws(),  # noqa: B008 (immutable)
        update_stats: bool = False,
        mask: jax.Array | None = None,
        perturb: Callable[[jax.Array], jax.Array] | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Run the layer on a batch.

        Args:
            x: Input rows [B, D].
            draws: Dropout mask and RReLU's slopes from `draw`. Without them both are off.
            update_stats: Whether batch normalisation uses the batch's statistics and updates the moving ones.
            mask: Booleans [B, 1]. Batch normalisation counts the rows with True. None counts all rows.
            perturb: Function that the dense product [B, products] passes through, for the gradient by it.

        Returns:
            The output [B, units] and the input of the dense product [B, D].
        """
        shortcut = x
        norm = partial(
            nn.BatchNorm,
            use_running_average=not update_stats,
            momentum=0.99,
            epsilon=1e-3,
            use_fast_variance=False,  # E[x^2] - E[x]^2 loses digits on raw 0..255 inputs
            force_float32_reductions=False,  # True would keep float64 statistics in float32
            dtype=self.dtype,
            param_dtype=self.dtype,
        )
        if self.norm_input:
            x = norm(name="norm_input")(x, mask=mask)
        if self.dropout is not None and draws.kept is not None:
            x = DROPOUTS[self.dropout](x, draws.kept, draws.rate)
        if self.norm_place == "input":
            x = self._settled(norm(name="norm")(x, mask=mask), mask)
        dense_input = x
        x = Dense(self.products, self.kernel_init, self.bias_init, self.dtype, self.precision, name="dense")(x)
        if perturb is not None:
            x = perturb(x)
        if self.norm_place == "before":
            x = self._settled(norm(name="norm")(x, mask=mask), mask)
        x = self._activate(x, draws.slopes)
        if self.norm_place == "after":
            x = self._settled(norm(name="norm")(x, mask=mask), mask)
        return x + shortcut if self.skip else x, dense_input

    def draw(
        self, key: jax.Array | None, shape: tuple[int, ...], rate: jax.Array | float, mask_bits: MaskBits = 32
    ) -> Draws:
        """Draw the random numbers of a batch.

        Args:
            key: Random key of the layer. None switches dropout and RReLU's slopes off.
            shape: Shape [B, D] of the input.
            rate: Share of inputs that are dropped, in [0, 1).
            mask_bits: Random bits for each value of the dropout mask.

        Returns:
            Mask, rate and slopes. What the layer does not use is left out.
        """
        if key is None:
            return Draws()
        draws = Draws()
        if self.dropout is not None:
            kept, rate = dropout_mask(key, shape, self.dtype, rate, mask_bits)
            draws = Draws(kept, rate)
        if self.activation == "rrelu":
            slopes_key = jax.random.fold_in(key, RRELU_DRAW)
            draws = draws._replace(slopes=rrelu_slopes(slopes_key, (shape[0], self.units), self.dtype))
        return draws

    def _settled(self, x: jax.Array, mask: jax.Array | None) -> jax.Array:
        """Set the rows outside the mask to 0 behind a normalisation if random numbers were drawn up to this layer.

        Without random numbers such a row repeats a row of the mask exactly. With them it differs and the statistics do
        not cover it. It would grow from layer to layer until it overflows.
        """
        return jnp.where(mask, x, jnp.zeros((), x.dtype)) if mask is not None and self.settles else x

    def _activate(self, x: jax.Array, slopes: jax.Array | None) -> jax.Array:
        """Apply the activation, with its weights or random numbers if it has any."""
        match self.activation:
            case "prelu":
                return PReLU(ALPHAS["prelu"] if self.alpha is None else self.alpha, self.dtype, name="prelu")(x)
            case "rrelu":
                return rrelu(x, slopes)
        return activation(self.activation, self.alpha)(x)

    @property
    def products(self) -> int:
        """Return the number of dense products. GLU takes two for each unit."""
        return 2 * self.units if self.activation == "glu" else self.units

    @property
    def is_random(self) -> bool:
        """Return whether a key changes the output."""
        return self.dropout is not None or self.activation == "rrelu"
