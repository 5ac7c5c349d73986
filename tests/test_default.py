"""What a Config is where nothing is said: a network for a small table, and what older folders meant by nothing."""

import numpy as np
import pytest
from sklearn import datasets

from experiments import cifar, fashion_mnist
from jaxdeep import Config, Data, Dataset, UserError, fit, lint
from jaxdeep.config.identity import DEFAULTS_BEFORE, comparable

SETS = {
    "iris": (datasets.load_iris, 0.9),
    "wine": (datasets.load_wine, 0.93),
    "cancer": (datasets.load_breast_cancer, 0.93),
    "digits": (datasets.load_digits, 0.93),
}


def shuffled(name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rows, labels = SETS[name][0](return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[order], labels[order]


@pytest.mark.parametrize("name", SETS)
def test_the_default_suits_small_tables(name) -> None:
    rows, labels = shuffled(name)
    data = Dataset.from_arrays(rows, labels)
    assert data.valid.size == data.test.size == len(rows) // 5
    copied = ["duplicated-training-rows"] if name == "iris" else []  # Fisher measured two flowers alike
    assert [finding.name for finding in lint(Config(), data)] == copied
    assert fit(Config(), data, 0).val_accuracy > SETS[name][1]


@pytest.mark.parametrize(("share", "rows", "expected"), [(0.2, 1_700, 340), (0.2, 4, 1), (0.1, 30, 3), (0.29, 100, 29)])
def test_a_share_is_rounded_down_and_at_least_a_row(share, rows, expected) -> None:
    assert Data(valid_size=share).valid_rows(rows) == expected


def test_a_share_with_test_rows_of_their_own_is_one_of_the_training_rows() -> None:
    rows, labels = shuffled("iris")
    data = Dataset.from_arrays(rows[:100], labels[:100], rows[100:], labels[100:], data=Data(valid_size=0.1))
    assert [part.size for part in (data.train, data.valid, data.test)] == [90, 10, 50]


@pytest.mark.parametrize("size", [0, -1, 0.0, -0.1, 1.5, 20.5, float("nan"), "0.2", True])
def test_no_other_number_is_a_share(size) -> None:
    with pytest.raises(UserError, match=r"^data\.valid_size is .*\. Allowed: .*a share above 0 and below 1"):
        Data(valid_size=size)


def test_a_whole_float_is_a_number_of_rows() -> None:
    assert Data(valid_size=20.0) == Data(valid_size=20)
    assert type(Data(valid_size=20.0).valid_size) is int


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_validation_rows_of_a_files_own_are_taken_where_a_share_is_given(tmp_path, share) -> None:
    rows, labels = shuffled("iris")
    arrays = {"x": rows[:90], "y": labels[:90], "x_val": rows[90:107], "y_val": labels[90:107]}
    np.savez(tmp_path / "all.npz", **arrays, x_test=rows[107:], y_test=labels[107:])
    data = Dataset.from_npz(tmp_path / "all.npz", Data(valid_size=share))
    assert [part.size for part in (data.train, data.valid, data.test)] == [90, 17, 43]
    data.check_prepared_as(Data(valid_size=share))


def test_a_file_with_validation_rows_and_no_test_rows_keeps_both_apart(tmp_path) -> None:
    rows, labels = shuffled("iris")
    np.savez(tmp_path / "two.npz", x=rows[:100], y=labels[:100], x_val=rows[100:], y_val=labels[100:])
    data = Dataset.from_npz(tmp_path / "two.npz", Data(valid_size=0.2))
    assert [part.size for part in (data.train, data.valid, data.test)] == [80, 50, 20]


def test_a_field_that_an_older_folder_lacks_has_the_default_of_its_time() -> None:
    filled = comparable({"config": {"train": {"epochs": 2}}})["config"]
    assert filled["model"]["units"] == [100] * 20
    assert filled["data"]["valid_size"] == 5_000
    assert filled["train"]["patience"] == 20
    now = Config().to_dict()
    for name, before in DEFAULTS_BEFORE.items():
        part, _, field = name.partition(".")
        assert now[part][field] != before


@pytest.mark.parametrize("experiment", [cifar, fashion_mnist])
def test_the_chapters_configurations_say_their_sizes_themselves(experiment) -> None:
    """So that no default of ours changes them."""
    for recipe in experiment.CONFIGS.values():
        assert recipe.config.data.valid_size == 5_000
        assert recipe.config.train.batch_size in (32, 128)
    if experiment is cifar:
        assert {recipe.config.model.units for recipe in cifar.CONFIGS.values()} == {(100,) * 20, (100,) * 3}
