"""The images of a run on the device: training, validation and test rows as they are stored, and how to scale them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

import jax
import numpy as np

from jaxdeep.config import Data
from jaxdeep.config.arguments import check_type
from jaxdeep.config.choices import Task, check
from jaxdeep.config.data import SUBSET
from jaxdeep.config.values import cut
from jaxdeep.data import npz
from jaxdeep.data.device import on_device
from jaxdeep.data.image_folder import SOURCE, read_folder, read_images
from jaxdeep.data.info import Columns, Info, Split, with_shared_rows
from jaxdeep.data.parts import digest_with, divide
from jaxdeep.data.rows import as_rows, flat, stored
from jaxdeep.data.scaling import constants_of
from jaxdeep.data.sources import Images
from jaxdeep.data.split_rows import split_rows
from jaxdeep.data.table_columns import TableColumns, features_of
from jaxdeep.data.table_split import Numbers, divided
from jaxdeep.data.tables import is_table_path
from jaxdeep.data.targets import Targets
from jaxdeep.data.weights import ClassWeights, weights_of_parts
from jaxdeep.errors import UserError

LONGEST_NAME: Final = 100
"""Characters of its name that a data set shows of itself."""
PREPARED: Final = ("scaling", "valid_size", "train_size", "resample", *SUBSET)
"""The fields of `Data` that decide which rows a data set holds and how they are scaled."""
WHAT: Final = {"classification": "classes", "multilabel": "labels", "regression": "numbers"}
"""What a network predicts, by task."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["train", "valid", "test", "mean", "scale", "bounds"],
    meta_fields=["classes", "image_shape", "task"],
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
        classes: Number C of classes, of labels, or of numbers to predict.
        image_shape: Shape of one row, such as (H, W, channels). Its product is D.
        info: Source and meaning of the rows. None inside a compiled program, which does not depend on it.
        task: What the targets are: "classification", "multilabel" or "regression".
        bounds: Zero, the lowest and the highest training target in standard units [3, C]. None but for regression.
    """

    train: Split
    valid: Split
    test: Split
    mean: jax.Array
    scale: jax.Array
    classes: int
    image_shape: tuple[int, ...]
    info: Info | None = None
    task: Task = "classification"
    bounds: jax.Array | None = None

    def __repr__(self) -> str:
        try:
            parts = ", ".join(f"{getattr(self, part).size:,} {part}" for part in ("train", "valid", "test"))
            sizes = f"{parts} rows, {self.inputs:,} features, {self.classes:,} {WHAT[self.task]}"
        except (AttributeError, IndexError, TypeError):  # JAX puts other things than arrays in their places
            sizes = f"{self.classes:,} {WHAT[self.task]}"
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
        if data.validate_on_test and not self.test.size:
            raise UserError("data.validate_on_test needs test rows, and the data set has none. Remove it.")
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
            rows: Numbers [N, D] on the scale of the rows that the data set was made of, or a data frame of its table.

        Returns:
            A copy [N, D] of type uint8, float32 or float64.
        """
        columns = self.info.columns if self.info else None
        given = features_of(self.info.table if self.info else None, rows)
        return stored(as_rows(given, "rows").values, columns.offset if columns else None)

    def in_own_units(self, answers: np.ndarray) -> np.ndarray:
        """Return what a network says in the units of the targets as they were given.

        Args:
            answers: Probabilities [N, C], or numbers [N, C] in standard units.

        Returns:
            The probabilities. Or the numbers as float64, [N] if there is one for each row.
        """
        if self.task != "regression" or self.info is None or self.info.targets is None:
            return answers
        found = self.info.targets.own(answers)
        return found[:, 0] if self.classes == 1 else found

    def read_images(self, paths: Sequence[str | Path]) -> np.ndarray:
        """Decode new images for a network that was trained on a folder of images.

        Args:
            paths: Paths of N images, which are resized to the data set's images.

        Returns:
            Images [N, H, W, C] uint8, which `predict` takes.

        Raises:
            UserError: An image cannot be decoded, or the data set's rows are no images of 1 or 3 channels.
        """
        if len(self.image_shape) != 3 or self.image_shape[2] not in (1, 3):
            raise UserError(f"the data set's rows have the shape {self.image_shape}, and images have [H, W, 1 or 3].")
        return read_images(paths, self.image_shape)

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
        task: Task = "classification",
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

        With task "regression", the labels are numbers [N] or [N, C], and with "multilabel" a 0 or a 1 for each of C
        labels. `model.head` must fit: softmax or sigmoid for classes, sigmoid for several labels, and linear, tanh or
        softplus for numbers. Numbers are learnt less their training mean and over their training standard deviation,
        and predicted in their own units. Where figures are called accuracy, they are R2 then.

        Weights count in the losses, and accuracies count each row once. A weight of 2 has the effect of a row that
        stands there twice. While training, weights are divided by their mean over the training rows.

        Args:
            images: Rows [N, ...] of real numbers. All axes behind the first are flattened.
            labels: Labels [N] or [N, 1]: integers, integer-valued floating numbers, booleans or strings. Numbers or
                several labels for the other tasks.
            test_images: Test rows [M, ...] like images, or None.
            test_labels: Labels [M] or [M, 1] of the test rows, or None.
            data: Sizes and scaling.
            name: Name of the data set, for titles and files.
            source: Place that the arrays came from.
            synthetic: Whether the rows were drawn, not observed.
            class_names: Names of the C classes. Integer labels are indices into them, strings are looked up. None takes
                the labels. For the other tasks, names of the C labels or numbers, or None.
            row_weights: Weights [N] of the rows in images, 0 or more. Test rows of their own have the weight 1.
            class_weights: Weight of each class by its label, which multiplies the weights of its rows. Classes that are
                left out have 1. With "balanced" all classes count the same in the training rows.
            task: What the labels are: "classification", "multilabel" or "regression".

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
            task=task,
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
    def from_npz(
        cls,
        path: str | Path,
        data: Data = Data(),  # noqa: B008 (frozen)
        task: Task = "classification",
    ) -> "Dataset":
        """Make a data set of a user's own `.npz` file.

        Its arrays go by the names that the field uses, such as x_train and y_train, X and y, train_images and
        test_labels. Test arrays may be missing. Validation rows of the file's own are taken where `data.valid_size`
        is a share. A `data.valid_size` that is a number must be theirs.

        Args:
            path: Path of the file. `~` is the home folder.
            data: Sizes and scaling.
            task: What the labels are: "classification", "multilabel" or "regression".

        Returns:
            The data set, on the default device.

        Raises:
            UserError: The file is missing or damaged, an array is missing or has a rival, or the arrays do not fit.
        """
        check_type("data", data, Data, "a Data")
        arrays, valid_rows = npz.training_and_test(path, data.valid_size)
        return _divided(arrays, data, Path(path).stem, "arrays", False, None, valid_rows, task=task)

    @classmethod
    def from_table(
        cls,
        table: Any,
        target: str | Sequence[str],
        *,
        test: Any = 0.2,
        data: Data = Data(),  # noqa: B008 (frozen)
        drop: Sequence[str] = (),
        group: str | None = None,
        split_seed: int = 0,
        numbers: Numbers = "standardize",
        weight: str | None = None,
        class_weights: ClassWeights = None,
        task: Task = "classification",
        name: str | None = None,
    ) -> "Dataset":
        """Make a data set of a table with numbers, categories and gaps. This needs the extra jaxdeep[tables].

        The rows are shuffled. Each part has its share of every class, or with `group` whole groups. Medians, quantiles
        and categories come from the training rows alone, and `info.table` keeps them. So `predict` takes data frames
        with the same columns.

        - A number that is missing becomes the median. A feature marks it if training rows miss some. Booleans are 0
          and 1.
        - A category has a feature for each frequent value, and one for all other and missing values if training rows
          have some. Strings are categories. Frequent is 1 training row in 200, within 2 to 20 rows.
        - Strings that mostly differ, dates and nested columns are refused. Leave them out by `drop`.

        With folds or `data.resample`, the medians, quantiles and categories of the first training rows stay. Folds do
        not keep groups together.

        Args:
            table: Data frame of pandas, polars or pyarrow, or the path of a .csv, .tsv or .parquet file.
            target: Name of the column of labels, which are integers, booleans or strings. Names of several columns of
                0 and 1 with task "multilabel". Name or names of columns of numbers with task "regression".
            test: Share of the rows for the test part, above 0 and below 1. Or their number. Or another table with the
                same columns. None: there are no test rows, and all test figures are NaN.
            data: Sizes and scaling. A share in `data.valid_size` is one of all rows in `table`.
            drop: Names of columns to leave out.
            group: Name of a column whose equal values keep rows in one part. It is no feature. None divides by class.
            split_seed: Seed of the shuffle, in 0 .. 2^32 - 1.
            numbers: "standardize" takes numbers as they are, which `data.scaling` standardises. "quantile" maps each
                number to the normal quantile of its rank among the training values. "piecewise_linear" gives a feature
                for each of up to 16 bins of equally many training values: the share of the bin below the number.
            weight: Name of a column that says how much a row counts in the losses, 0 or more. It is no feature. Rows of
                another test table have the weight 1.
            class_weights: Weight of each class by its label, which multiplies the weights of its rows. Or "balanced".
            task: What the targets are, as in `from_arrays`. The rows of labels and numbers are divided at random.
            name: Name of the data set. None takes the file's name without its end, or "table".

        Returns:
            The data set, on the default device.

        Raises:
            UserError: The file cannot be read, a column is missing or cannot be a feature, a row misses the target, an
                argument has another type, sizes do not fit, or a package is not installed.
        """
        check_type("data", data, Data, "a Data")
        check_type("name", name, (str, type(None)), "a string, or None")
        of_rows = divided(table, target, test, data, drop, group, split_seed, numbers, weight, task)
        title = name or (Path(table).stem if is_table_path(table) else "table")
        is_tested = test is not None
        return _divided(
            of_rows.arrays,
            data,
            title,
            "table",
            False,
            of_rows.target_names,
            of_rows.valid_rows,
            of_rows.columns,
            is_tested=is_tested,
            row_weights=of_rows.weights,
            test_weights=of_rows.test_weights,
            class_weights=class_weights,
            task=task,
        )

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        size: tuple[int, int] | None = None,
        test: Any = 0.2,
        data: Data = Data(),  # noqa: B008 (frozen)
        split_seed: int = 0,
        name: str | None = None,
    ) -> "Dataset":
        """Make a data set of images in sub-folders, whose names are the labels.

        Images are decoded once and resized. The cache keeps them until a file changes. They are shuffled, and each part
        has its share of every class. `read_images` decodes new images for `predict`.

        Args:
            folder: Path of the folder. `~` is the home folder. Images are the .png, .jpg, .jpeg, .bmp, .gif, .webp,
                .tif, .tiff, .ppm and .pgm files in its sub-folders and below.
            size: Height and width of the images in pixels. None takes the first image's.
            test: Share of the images for the test part, above 0 and below 1. Or their number. Or another such folder.
                None: there are no test rows, and all test figures are NaN.
            data: Sizes and scaling. A share in `data.valid_size` is one of all images in `folder`.
            split_seed: Seed of the shuffle, in 0 .. 2^32 - 1.
            name: Name of the data set. None takes the folder's.

        Returns:
            The data set of images [H, W, C], on the default device. C is 1 if all images are grey, and 3 otherwise.

        Raises:
            UserError: The folder has no classes or a class has no image, an image cannot be decoded, an argument has
                another type, or sizes do not fit.
        """
        check_type("folder", folder, (str, Path), "a path")
        check_type("data", data, Data, "a Data")
        check_type("name", name, (str, type(None)), "a string, or None")
        images, labels = read_folder(folder, size)
        is_folder = isinstance(test, str | Path)
        of_test, of_valid, of_train = split_rows(labels, None, None if is_folder else test, data, split_seed)
        order = np.concatenate([of_valid, of_train])
        height, width, channels = images.shape[1:]
        other = read_folder(test, (height, width), channels) if is_folder else None
        of_test = order[-1:] if test is None else of_test  # a row that fills the shape
        test_images, test_labels = other or (images[of_test], labels[of_test])
        arrays = (images[order], labels[order], test_images, test_labels)
        title, is_tested = name or Path(folder).resolve().name, test is not None
        return _divided(arrays, data, title, SOURCE, False, None, len(of_valid), is_tested=is_tested)


def _divided(
    arrays: tuple[Any, Any, Any, Any],
    data: Data,
    name: str,
    source: str,
    synthetic: bool,
    class_names: Sequence[str] | None,
    valid_rows: int | None = None,
    table: TableColumns | None = None,
    *,
    is_tested: bool = True,
    row_weights: Any = None,
    test_weights: Any = None,
    class_weights: ClassWeights = None,
    task: Task = "classification",
) -> Dataset:
    """Return the data set of arrays. The first `valid_rows` rows are for validation if that is given.

    The test rows do not count if `is_tested` is False. Programs then have a shape, and all test figures are NaN.
    """
    check("task", task, task in get_args(Task), ", ".join(get_args(Task)))
    takes_both, data = data.takes_both, data.base()
    parts, encoding, digest = divide(*arrays, data, class_names, valid_rows, is_tested=is_tested, task=task)
    targets = Targets.of(parts[0].labels, encoding.names) if task == "regression" else None
    rows = parts[0].rows
    of_rows = weights_of_parts(parts, len(encoding.codes[0]), row_weights, test_weights, class_weights, encoding.values)
    if of_rows is not None:
        digest = digest_with(digest, of_rows)
    constants = constants_of(data, parts)
    train, valid, test = (
        Split(
            on_device(stored(flat(part.rows.values), constants.offset)),
            on_device(part.labels if targets is None else targets.standard(part.labels)),
            weights=None if own is None else on_device(own),
        )
        for part, own in zip(parts, of_rows or (None,) * 3, strict=True)
    )
    if not is_tested:
        test = test._replace(count=on_device(0, np.int32))
    if takes_both:
        train, valid = with_shared_rows(train, valid)
    return Dataset(
        train,
        valid,
        test,
        mean=on_device(constants.mean),
        scale=on_device(constants.scale),
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
            None if targets else encoding.values,
            table,
            targets,
        ),
        task=task,
        bounds=None if targets is None else on_device(targets.bounds),
    )
