"""The images of a run on the device: training, validation and test rows as they are stored, and how to scale them."""

import hashlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.config import Data
from jaxdeep.data import npz
from jaxdeep.data.sources import Images
from jaxdeep.errors import UserError

PREPARED: Final = ("scaling", "valid_size", "train_size")
"""The fields of `Data` that decide which rows a data set holds and how they are scaled."""


class Split(NamedTuple):
    """Rows and their classes.

    Attributes:
        images: [N, D], uint8, or the floating type of a user's own arrays.
        labels: [N], int32, 0 .. C - 1.
        rows: [n], int32: those of the N that are the split's, where several splits share the images; None: all.
    """

    images: jax.Array
    labels: jax.Array
    rows: jax.Array | None = None

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.labels) if self.rows is None else len(self.rows)

    def take(self, indices: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Images [B, D] and labels [B] of the split's rows with these indices [B]."""
        rows = indices if self.rows is None else self.rows[indices]
        return self.images[rows], self.labels[rows]


@dataclass(frozen=True)
class Columns:
    """What is known of the training rows, column by column, to check other rows by.

    Attributes:
        dtype: of the rows as they were given, such as "uint8".
        low: [D] float64, the smallest training value of each column.
        high: [D] float64, the largest one.
        names: D names of columns, where the rows were given as a data frame.
    """

    dtype: str
    low: np.ndarray = field(compare=False, repr=False)
    high: np.ndarray = field(compare=False, repr=False)
    names: tuple[str, ...] | None = None


class Info(NamedTuple):
    """What the images are.

    Attributes:
        name: of the data set; contains "synthetic" where it is.
        source: where the images came from.
        synthetic: whether they were drawn, not photographed.
        class_names: C names.
        digest: of all arrays as they were given; another value means other images or labels.
        data: how the rows were split and scaled; a run whose configuration says otherwise is refused.
        columns: what other rows are checked by.
    """

    name: str
    source: str
    synthetic: bool
    class_names: tuple[str, ...]
    digest: str
    data: Data | None = None
    columns: Columns | None = None


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["train", "valid", "test", "mean", "scale"],
    meta_fields=["classes", "image_shape"],
    drop_fields=["info"],
)
@dataclass(frozen=True)
class Dataset:
    """Training, validation and test rows, on the device: an argument of the compiled programs.

    Attributes:
        train: N rows to train on.
        valid: rows that choose the epoch.
        test: rows that choose nothing.
        mean: scalar or [1, D]; a row enters the network as (row - mean) x scale.
        scale: scalar or [1, D]: 1, 1 / 255, or 1 / standard deviation (1 where that is 0).
        classes: C, number of classes.
        image_shape: of one image, such as (H, W, channels); its product is D.
        info: what the images are; None inside a compiled program, which does not depend on it.
    """

    train: Split
    valid: Split
    test: Split
    mean: jax.Array
    scale: jax.Array
    classes: int
    image_shape: tuple[int, ...]
    info: Info | None = None

    @property
    def inputs(self) -> int:
        """D, features of a row."""
        return self.train.images.shape[1]

    def identity(self) -> dict[str, Any]:
        """What two runs must share to have seen the same images, as JSON values."""
        info = self.info._asdict() if self.info else {}
        return {field: info.get(field) for field in ("name", "source", "synthetic", "digest")}

    def check_prepared_as(self, data: Data) -> None:
        """Refuse a configuration that splits or scales the rows in another way than they were.

        Args:
            data: of the configuration.

        Raises:
            UserError: a field of PREPARED differs; it names all that do.
        """
        if self.info is None or self.info.data is None:
            return
        own = self.info.data
        differing = [name for name in PREPARED if getattr(own, name) != getattr(data, name)]
        if differing:
            fields = ", ".join(
                f"data.{name} (data set {getattr(own, name)!r}, configuration {getattr(data, name)!r})"
                for name in differing
            )
            raise UserError(
                f"the data set was made with another Data than the configuration's: {fields}. "
                "Make the data set with data=config.data"
            )

    @classmethod
    def from_arrays(
        cls,
        images: np.ndarray,
        labels: np.ndarray,
        test_images: np.ndarray | None = None,
        test_labels: np.ndarray | None = None,
        *,
        data: Data = Data(),  # noqa: B008 (frozen)
        name: str = "arrays",
        source: str = "arrays",
        synthetic: bool = False,
        class_names: tuple[str, ...] | None = None,
    ) -> "Dataset":
        """A user's own arrays as a data set.

        The first `data.valid_size` rows are for validation. Without test arrays, the last `data.valid_size` rows are
        the test set. Rows are taken as they stand: shuffle them first if they are sorted by class.

        Args:
            images: [N, ...], uint8 or floating; what is behind the first axis is flattened.
            labels: [N], integers 0 .. C - 1.
            test_images: [M, ...], like images.
            test_labels: [M], like labels.
            data: sizes and scaling.
            name: of the data set, for titles and files.
            source: where the arrays came from.
            synthetic: whether they were drawn, not observed.
            class_names: C names; the numbers themselves where there are none.

        Returns:
            The data set, on the default device.

        Raises:
            UserError: shapes, types or sizes do not fit, or a part lacks a class.

        >>> rows, classes = np.random.default_rng(0).random((100, 8)), np.arange(100) % 4
        >>> dataset = Dataset.from_arrays(rows, classes, data=Data(valid_size=20))
        >>> [part.size for part in (dataset.train, dataset.valid, dataset.test)]
        [60, 20, 20]
        """
        images, labels = np.asarray(images), np.asarray(labels)
        if (test_images is None) != (test_labels is None):
            raise UserError("test_images and test_labels go together: one of them is missing")
        _check_rows("training", images, labels)
        if test_images is None or test_labels is None:
            rest = max(len(labels) - data.valid_size, 0)
            images, test_images = images[:rest], images[rest:]
            labels, test_labels = labels[:rest], labels[rest:]
        test_images, test_labels = np.asarray(test_images), np.asarray(test_labels)
        _check_rows("test", test_images, test_labels)
        if test_images.shape[1:] != images.shape[1:]:
            raise UserError(f"a test row has the shape {test_images.shape[1:]}, a training row {images.shape[1:]}")
        if len(labels) <= data.valid_size:
            raise UserError(
                f"data.valid_size is {data.valid_size}; {len(labels)} rows are left for training and validation, "
                "and both need some"
            )

        classes = len(class_names) if class_names else int(max(labels.max(), test_labels.max())) + 1
        end = None if data.train_size is None else data.valid_size + data.train_size
        train = (images[data.valid_size : end], labels[data.valid_size : end])
        valid = (images[: data.valid_size], labels[: data.valid_size])
        test = (test_images, test_labels)
        for part, (_, part_labels) in {"training": train, "validation": valid, "test": test}.items():
            found = np.unique(part_labels)
            if not np.array_equal(found, np.arange(classes)):
                raise UserError(
                    f"the {part} part has the classes {_shortened(found)}, not all of 0..{classes - 1}: "
                    "are the rows sorted by class? shuffle them first"
                )
        mean, scale = mean_and_scale(data, train[0])
        return cls(
            *(Split(jnp.asarray(_flat(x)), jnp.asarray(y.astype(np.int32))) for x, y in (train, valid, test)),
            mean=jnp.asarray(mean),
            scale=jnp.asarray(scale),
            classes=classes,
            image_shape=images.shape[1:],
            info=Info(
                name,
                source,
                synthetic,
                class_names or tuple(map(str, range(classes))),
                _digest(images, labels, test_images, test_labels),
                data,
                _columns(train[0]),
            ),
        )

    @classmethod
    def from_images(cls, images: Images, data: Data = Data()) -> "Dataset":  # noqa: B008 (frozen)
        """One of the three classic sets, or the built-in one.

        Args:
            images: what `load_images` gave.
            data: sizes and scaling.

        Returns:
            The data set, on the default device.

        Raises:
            UserError: the sizes do not fit.
        """
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
        test_labels. Test arrays may be missing. Validation rows of the file's own need a `data.valid_size` of their
        number.

        Args:
            path: of the file; `~` is the home folder.
            data: sizes and scaling.

        Returns:
            The data set, on the default device.

        Raises:
            UserError: the file is missing or damaged, an array is missing or has a rival, or the arrays do not fit.
        """
        return cls.from_arrays(*npz.training_and_test(path, data.valid_size), data=data, name=Path(path).stem)


def _check_rows(part: str, images: np.ndarray, labels: np.ndarray) -> None:
    if images.ndim < 2 or labels.ndim != 1 or len(images) != len(labels):
        raise UserError(
            f"{part} images have the shape {images.shape} and labels {labels.shape}; allowed: [N, ...] and [N]"
        )
    if len(labels) == 0:
        raise UserError(f"there are no {part} rows")
    if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
        raise UserError(f"{part} images are {images.dtype}; allowed: uint8 or a floating type")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise UserError(f"{part} labels are {labels.dtype} from {labels.min()}; allowed: integers from 0")


def _columns(rows: np.ndarray) -> Columns:
    flat = _flat(rows)
    return Columns(str(rows.dtype), flat.min(0).astype(np.float64), flat.max(0).astype(np.float64))


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def mean_and_scale(data: Data, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The constants that scale rows [N, ...] before they enter the network: scalars, or [1, D] each."""
    match data.scaling:
        case "none":
            return np.zeros(()), np.ones(())
        case "unit":
            return np.zeros(()), np.asarray(1 / 255)
        case "standardize":
            rows = _flat(images)
            count = len(rows)
            mean, square = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
            for chunk in np.array_split(rows, max(count // 2_000, 1)):
                values = chunk.astype(np.float64)
                mean += values.sum(0) / count
                square += np.einsum("nd,nd->d", values, values) / count
            std = np.sqrt(np.maximum(square - mean**2, 0))
            constant = std < 1e-6 * np.maximum(np.abs(mean), 1e-30)
            return mean[None], 1 / np.where(constant, 1, std)[None]


def _shortened(values: np.ndarray) -> str:
    listed = ", ".join(map(str, values[:10]))
    return f"[{listed}{', ...' if len(values) > 10 else ''}]"
