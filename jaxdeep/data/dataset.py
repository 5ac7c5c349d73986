"""The images of a run on the device: training, validation and test rows as they are stored, and how to scale them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Data
from jaxdeep.config.arguments import check_type
from jaxdeep.config.data import SUBSET
from jaxdeep.config.values import cut
from jaxdeep.data import npz
from jaxdeep.data.info import Columns, Info, Split, with_shared_rows
from jaxdeep.data.parts import digest_with, divide
from jaxdeep.data.rows import as_rows, flat, stored
from jaxdeep.data.scaling import constants_of
from jaxdeep.data.sources import Images
from jaxdeep.data.weights import ClassWeights, weights_of_parts
from jaxdeep.errors import UserError

LONGEST_NAME: Final = 100
"""Characters of its name that a data set shows of itself."""
PREPARED: Final = ("scaling", "valid_size", "train_size", "resample", *SUBSET)
"""The fields of `Data` that decide which rows a data set holds and how they are scaled."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["train", "valid", "test", "mean", "scale"],
    meta_fields=["classes", "image_shape"],
    drop_fields=["info"],
)
@dataclass(frozen=True)
class Dataset:
    """Training, validation and test rows on the device: an argument of the compiled programs.

    Attributes:
        train: Rows that the network is trained on.
        valid: Rows that choose the epoch.
        test: Rows that choose nothing.
        mean: Mean, a scalar or [1, D]. A stored row enters the network as (row - mean) x scale.
        scale: Scale, a scalar or [1, D]: 1, 1 / 255, or 1 / standard deviation. A standard deviation of 0 has the scale
            1 in uint8 rows and 0 in others.
        classes: Number of classes C.
        image_shape: Shape of one row, such as (H, W, channels). Its product is D.
        info: Source and meaning of the rows. None inside a compiled program, which does not depend on it.
    """

    train: Split
    valid: Split
    test: Split
    mean: jax.Array
    scale: jax.Array
    classes: int
    image_shape: tuple[int, ...]
    info: Info | None = None

    def __repr__(self) -> str:
        try:
            parts = ", ".join(f"{getattr(self, part).size:,} {part}" for part in ("train", "valid", "test"))
            sizes = f"{parts} rows, {self.inputs:,} features, {self.classes:,} classes"
        except (AttributeError, IndexError, TypeError):  # JAX puts other things than arrays in their places
            sizes = f"{self.classes:,} classes"
        name = cut(self.info.name, LONGEST_NAME) if self.info else "without a name"
        return f"Dataset({name}: {sizes}{', synthetic' if self.is_synthetic else ''})"

    @property
    def is_synthetic(self) -> bool:
        """Return whether the rows were drawn, not observed."""
        return self.info is not None and bool(self.info.synthetic)

    @property
    def inputs(self) -> int:
        """Return the number of features D of a row."""
        return self.train.images.shape[1]

    def identity(self) -> dict[str, Any]:
        """Return the values that two runs must share to have seen the same rows, as JSON values."""
        info = self.info._asdict() if self.info else {}
        return {field: info.get(field) for field in ("name", "source", "synthetic", "digest")}

    def check_prepared_as(self, data: Data) -> None:
        """Refuse a configuration that splits or scales the rows in another way than they were.

        A data set that holds all rows fits a configuration that chooses some of them.

        Args:
            data: Part of the configuration.

        Raises:
            UserError: It is no Data, or a field of PREPARED differs. The message names all fields that do. Or the data
                set has no rows.
        """
        check_type("data", data, Data, "a Data")
        self.check_has_rows()
        if self.info is None or self.info.data is None:
            return
        own = self.info.data
        if data.augmented and self.info.columns is not None and self.info.columns.offset is not None:
            raise UserError(
                "the data set subtracts a mean from each column, and data.shift_pixels or data.flip would mix columns. "
                "Make the data set with data=config.data."
            )
        wanted = data if own.is_subset else data.base()
        differing = [name for name in PREPARED if getattr(own, name) != getattr(wanted, name)]
        if differing:
            fields = ", ".join(
                f"data.{name} (data set {getattr(own, name)!r}, configuration {getattr(wanted, name)!r})"
                for name in differing
            )
            raise UserError(
                f"the data set was made with another Data than the configuration's: {fields}. "
                "Make the data set with data=config.data."
            )

    def check_has_rows(self) -> None:
        """Refuse the data set of a loaded or unpickled run, which has no rows.

        Raises:
            UserError: There are no training rows.
        """
        if self.train.size == 0:
            name = cut(self.info.name, LONGEST_NAME) if self.info else "without a name"
            raise UserError(
                f"the data set {name} has no rows, because a saved or pickled run keeps none. Give the data set "
                "that it was trained on, or another one."
            )

    def to_stored(self, rows: np.ndarray) -> np.ndarray:
        """Turn new rows into what the device holds, as the data set's own rows were.

        Args:
            rows: Numbers [N, D] on the scale of the rows that the data set was made of.

        Returns:
            A copy [N, D] of type uint8, float32 or float64.
        """
        columns = self.info.columns if self.info else None
        return stored(as_rows(rows, "rows").values, columns.offset if columns else None)

    @classmethod
    def from_arrays(
        cls,
        images: Any,
        labels: Any,
        test_images: Any = None,
        test_labels: Any = None,
        *,
        data: Data = Data(),  # noqa: B008 (frozen)
        name: str = "arrays",
        source: str = "arrays",
        synthetic: bool = False,
        class_names: Sequence[str] | None = None,
        row_weights: Any = None,
        class_weights: ClassWeights = None,
    ) -> "Dataset":
        """Make a data set of a user's own arrays.

        The first `data.valid_size` rows are for validation. Without test arrays, the last rows are the test set, as
        many. A share in place of a number is one of all rows in `images`. Rows are taken as they stand: shuffle them
        first if they are sorted by class. With `data.resample`, each run draws its validation rows anew by its seed.

        The data set holds all rows, whatever rows `data.classes`, `data.per_class`, `data.valid_per_class` and
        `data.validate_on_test` choose. A run takes its own rows when it begins. `data.train_size` then counts these.

        Arrays are copied. Lists, data frames and whatever has `__array__` are taken too. A data frame's columns are
        matched by name. Labels other than 0 .. C - 1 are encoded in sorted order, and `info.label_values` keeps them.

        With scaling standardize, a column with |mean| above 4,096 standard deviations is stored less its mean. A column
        that is constant in the training rows enters the network as 0, except in uint8 rows.

        Weights count in the losses, and accuracies count each row once. A weight of 2 has the effect of a row that
        stands there twice. While training, weights are divided by their mean over the training rows.

        Args:
            images: Rows [N, ...] of real numbers. All axes behind the first are flattened.
            labels: Labels [N] or [N, 1]: integers, integer-valued floating numbers, booleans or strings.
            test_images: Test rows [M, ...] like images, or None.
            test_labels: Labels [M] or [M, 1] of the test rows, or None.
            data: Sizes and scaling.
            name: Name of the data set, for titles and files.
            source: Place that the arrays came from.
            synthetic: Whether the rows were drawn, not observed.
            class_names: Names of the C classes. Integer labels are indices into them, strings are looked up. None takes
                the labels.
            row_weights: Weights [N] of the rows in images, 0 or more. Test rows of their own have the weight 1.
            class_weights: Weight of each class by its label, which multiplies the weights of its rows. Classes that are
                left out have 1. With "balanced" all classes count the same in the training rows.

        Returns:
            The data set, on the default device.

        Raises:
            UserError: An argument has another type, shapes, values or sizes do not fit, or the training part lacks a
                class.

        >>> rows, classes = np.random.default_rng(0).random((100, 8)), np.arange(100) % 4
        >>> dataset = Dataset.from_arrays(rows, classes, data=Data(valid_size=20))
        >>> [part.size for part in (dataset.train, dataset.valid, dataset.test)]
        [60, 20, 20]
        >>> named = Dataset.from_arrays(rows, np.array(["red", "blue"])[classes // 2], data=Data(valid_size=20))
        >>> named.info.class_names
        ('blue', 'red')
        """
        check_type("data", data, Data, "a Data")
        check_type("name", name, str, "a string")
        check_type("source", source, str, "a string")
        check_type("synthetic", synthetic, (bool, np.bool_), "True or False")
        return _divided(
            (images, labels, test_images, test_labels),
            data,
            name,
            source,
            bool(synthetic),
            class_names,
            row_weights=row_weights,
            class_weights=class_weights,
        )

    @classmethod
    def from_images(cls, images: Images, data: Data = Data()) -> "Dataset":  # noqa: B008 (frozen)
        """Make a data set of one of the three classic sets, or of the built-in one.

        Args:
            images: Images that `load_images` returned.
            data: Sizes and scaling.

        Returns:
            The data set, on the default device.

        Raises:
            UserError: The sizes do not fit, or an argument has another type.
        """
        check_type("images", images, Images, "what load_images returns")
        return cls.from_arrays(
            images.train_images,
            images.train_labels,
            images.test_images,
            images.test_labels,
            data=data,
            name=images.name,
            source=images.source,
            synthetic=images.synthetic,
            class_names=images.class_names,
        )

    @classmethod
    def from_npz(cls, path: str | Path, data: Data = Data()) -> "Dataset":  # noqa: B008 (frozen)
        """Make a data set of a user's own `.npz` file.

        Its arrays go by the names that the field uses, such as x_train and y_train, X and y, train_images and
        test_labels. Test arrays may be missing. Validation rows of the file's own are taken where `data.valid_size`
        is a share. A `data.valid_size` that is a number must be theirs.

        Args:
            path: Path of the file. `~` is the home folder.
            data: Sizes and scaling.

        Returns:
            The data set, on the default device.

        Raises:
            UserError: The file is missing or damaged, an array is missing or has a rival, or the arrays do not fit.
        """
        check_type("data", data, Data, "a Data")
        arrays, valid_rows = npz.training_and_test(path, data.valid_size)
        return _divided(arrays, data, Path(path).stem, "arrays", False, None, valid_rows)


def _divided(
    arrays: tuple[Any, Any, Any, Any],
    data: Data,
    name: str,
    source: str,
    synthetic: bool,
    class_names: Sequence[str] | None,
    valid_rows: int | None = None,
    row_weights: Any = None,
    class_weights: ClassWeights = None,
) -> Dataset:
    """Return the data set of arrays. The first `valid_rows` rows are for validation if that is given."""
    takes_both, data = data.takes_both, data.base()
    parts, encoding, digest = divide(*arrays, data, class_names, valid_rows)
    rows, of_rows = parts[0].rows, weights_of_parts(parts, len(arrays[0]), row_weights, class_weights, encoding.values)
    if of_rows is not None:
        digest = digest_with(digest, of_rows)
    constants = constants_of(data, parts)
    train, valid, test = (
        Split(
            jnp.asarray(stored(flat(part.rows.values), constants.offset)),
            jnp.asarray(part.labels.copy()),
            weights=None if own is None else jnp.asarray(own),
        )
        for part, own in zip(parts, of_rows or (None,) * 3, strict=True)
    )
    if takes_both:
        train, valid = with_shared_rows(train, valid)
    return Dataset(
        train,
        valid,
        test,
        mean=jnp.asarray(constants.mean),
        scale=jnp.asarray(constants.scale),
        classes=len(encoding.values),
        image_shape=rows.values.shape[1:],
        info=Info(
            name,
            source,
            synthetic,
            encoding.names,
            digest,
            data,
            Columns(rows.dtype, *constants.training, rows.names, constants.offset),
            encoding.values,
        ),
    )
