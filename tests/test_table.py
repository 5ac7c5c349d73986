"""Tables: the features of scikit-learn, parts without leaks, and every refusal names its column."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.stats import norm, rankdata
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer
from small_tables import DATA, ROWS, small_frame

from jaxdeep import Data, Dataset, JaxdeepWarning, UserError
from jaxdeep.data import tables
from jaxdeep.data.table_columns import Numbers, TableColumns
from jaxdeep.data.table_fit import fitted
from jaxdeep.data.tables import Table

FRAME = small_frame()
FEATURES = ["age", "income", "town", "member"]
TRAIN = np.arange(200)


def refused(text: str) -> AbstractContextManager[Any]:
    return pytest.raises(UserError, match=text)


def columns_of(frame: pd.DataFrame, names: list[str], numbers: Numbers = "standardize") -> TableColumns:
    return fitted(Table(frame, "the frame"), names, TRAIN, numbers)


def made(given: Any = FRAME, target: str = "churn", **options: Any) -> Dataset:
    return Dataset.from_table(given, target, **{"data": DATA, "drop": ("visitor",), **options})


def parts(dataset: Dataset) -> list[np.ndarray]:
    return [np.asarray(part.own_images) for part in (dataset.train, dataset.valid, dataset.test)]


def test_gaps_are_filled_and_marked_as_by_scikit_learn() -> None:
    numbers = FRAME[["age", "income"]].to_numpy()
    expected = SimpleImputer(strategy="median", add_indicator=True).fit(numbers[TRAIN]).transform(numbers)
    columns = columns_of(FRAME, ["age", "income"])
    assert columns.features == ("age", "age missing", "income")
    np.testing.assert_array_equal(columns.rows_of(FRAME), expected[:, [0, 2, 1]])


def test_categories_are_one_hot_as_by_scikit_learn() -> None:
    columns = columns_of(FRAME, ["town"])
    assert columns.features == ("town=A", "town=B", "town=C", "town other")
    texts = FRAME[["town"]].fillna("other").to_numpy()
    encoder = OneHotEncoder(categories=[["A", "B", "C"]], handle_unknown="ignore", sparse_output=False)
    expected = encoder.fit(texts).transform(texts)
    found = columns.rows_of(FRAME)
    np.testing.assert_array_equal(found[:, :3], expected)
    np.testing.assert_array_equal(found[:, 3], 1 - expected.sum(1))
    assert 0 < (FRAME.town[TRAIN] == "D").sum() < 2  # which other stands for, with the gaps
    np.testing.assert_array_equal(columns.rows_of(pd.DataFrame({"town": ["E"]})), [[0, 0, 0, 1]])


def test_numbers_become_normal_quantiles_as_by_scikit_learn() -> None:
    columns = columns_of(FRAME, ["income", "member"], "quantile")
    oracle = QuantileTransformer(n_quantiles=200, output_distribution="normal", subsample=None)
    oracle.fit(FRAME[["income"]].to_numpy()[TRAIN])
    beyond = FRAME.assign(income=FRAME.income * 3 - 10_000)
    for frame in (FRAME, beyond):
        rows = columns.rows_of(frame)
        np.testing.assert_allclose(rows[:, :1], oracle.transform(frame[["income"]].to_numpy()), atol=1e-6)
        np.testing.assert_array_equal(rows[:, 1], frame.member)


@pytest.mark.parametrize("repeats", [1, 3, 200])
def test_equal_numbers_share_their_mean_rank(repeats: int) -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=200 // repeats + 1), repeats)[:200]
    columns = fitted(Table(pd.DataFrame({"x": values}), "x"), ["x"], TRAIN, "quantile")
    ranks = np.clip((rankdata(values) - 1) / 199, 1e-7, 1 - 1e-7)
    np.testing.assert_allclose(columns.rows_of(pd.DataFrame({"x": values}))[:, 0], norm.ppf(ranks), atol=1e-6)


@pytest.mark.parametrize(
    "convert",
    [pl.from_pandas, pa.Table.from_pandas, lambda frame: frame.convert_dtypes(),
     lambda frame: frame.assign(town=frame.town.astype("category")),
     lambda frame: pl.from_pandas(frame).with_columns(pl.col("town").cast(pl.Categorical)),
     lambda frame: frame.set_axis(range(5, ROWS + 5))],
    ids=["polars", "pyarrow", "nullable", "categorical", "polars categorical", "another index"],
)  # fmt: skip
def test_every_kind_of_frame_gives_the_same_data_set(convert: Callable[[pd.DataFrame], Any]) -> None:
    expected, found = made(), made(convert(FRAME))
    assert found.identity() == expected.identity()
    assert found.info is not None
    assert expected.info is not None
    assert found.info.table == expected.info.table


@pytest.mark.parametrize("end", ["csv", "tsv", "parquet"])
def test_every_kind_of_file_gives_the_same_data_set(tmp_path, end: str) -> None:
    path = tmp_path / f"visits.{end}"
    if end == "parquet":
        parquet.write_table(pa.Table.from_pandas(FRAME), path)
    else:
        FRAME.to_csv(path, index=False, sep="\t" if end == "tsv" else ",")
    expected, found = made(), made(path)
    assert found.identity() == {**expected.identity(), "name": "visits"}


def test_each_part_has_its_share_of_every_class_and_every_row_is_in_one_part() -> None:
    dataset = made(drop=())
    sizes = [part.size for part in (dataset.train, dataset.valid, dataset.test)]
    assert sizes == [180, 60, 60]
    shares = [np.mean(part.own_labels) for part in (dataset.train, dataset.valid, dataset.test)]
    assert np.ptp(shares) < 2 / 60
    incomes = np.concatenate([rows[:, 2] for rows in parts(dataset)])
    np.testing.assert_array_equal(np.sort(incomes), np.sort(FRAME.income.astype(np.float32)))
    other = made(drop=(), split_seed=1)
    assert not np.array_equal(parts(other)[0], parts(dataset)[0])


def test_a_class_of_two_rows_is_trained_on() -> None:
    frame = FRAME.assign(churn=["rare"] * 2 + list(FRAME.churn[2:]))
    with pytest.warns(JaxdeepWarning, match=r"part lacks the classes \['rare'\]"):
        dataset = made(frame)
    assert dataset.train.own_labels.tolist().count(1) >= 1


def test_groups_stay_together_and_are_no_feature() -> None:
    frame = FRAME.assign(code=FRAME.visitor.astype(float))  # a copy that shows where a group is
    dataset = made(frame, group="visitor", drop=())
    assert dataset.info is not None
    assert dataset.info.table is not None
    assert not any("visitor" in name for name in dataset.info.table.features)
    codes = [set(rows[:, -1].tolist()) for rows in parts(dataset)]
    assert sum(map(len, codes)) == ROWS / 3
    assert [part.size for part in (dataset.train, dataset.valid, dataset.test)] == [180, 60, 60]


def test_what_is_learnt_comes_from_the_training_rows_alone() -> None:
    dataset = made(FRAME.assign(row=np.arange(ROWS)), drop=(), data=replace(DATA, train_size=150))
    assert dataset.info is not None
    assert dataset.info.table is not None
    trained = FRAME.iloc[parts(dataset)[0][:, -1].astype(int)]
    assert len(trained) == 150
    names = ["age", "income", "visitor"]
    medians = {column.name: column.median for column in dataset.info.table.columns if column.name in names}
    assert medians == trained[names].median().to_dict()
    assert medians != FRAME[names].median().to_dict()
    again = fitted(Table(trained, "trained"), FEATURES, np.arange(150), "standardize")
    assert dataset.info.table.columns[:4] == again.columns


def test_a_table_of_its_own_is_the_test_part() -> None:
    other = small_frame(50, seed=1)
    dataset = made(test=other[other.columns[::-1]].assign(more=1))
    assert [part.size for part in (dataset.train, dataset.valid, dataset.test)] == [240, 60, 50]
    np.testing.assert_array_equal(parts(dataset)[2][:, 2], other.income.astype(np.float32))


def test_a_code_stays_text_in_the_csv_of_the_test_rows(tmp_path) -> None:
    train = FRAME.assign(town=FRAME.town.map({"A": "x1", "B": "02", "C": "3"}))
    test = train[(train.town != "x1") & train.town.notna()]
    for name, frame in (("train", train), ("test", test)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    dataset = made(tmp_path / "train.csv", test=tmp_path / "test.csv")
    assert dataset.info is not None
    assert dataset.info.table is not None
    assert dataset.info.table.features[3:7] == ("town=02", "town=3", "town=x1", "town other")
    assert parts(dataset)[2][:, 3].sum() == (test.town == "02").sum() > 0


def test_numbers_are_the_shares_of_their_bins() -> None:
    frame = FRAME.assign(income=FRAME.income.mask(FRAME.index % 9 == 0))
    columns = columns_of(frame, ["income"], "piecewise_linear")
    (column,) = columns.columns
    edges, rows = np.asarray(column.edges), columns.rows_of(frame)
    assert columns.features == (*(f"income bin {index}" for index in range(1, 17)), "income missing")
    values = frame.income.fillna(column.median).to_numpy()
    inside = (values >= edges[0]) & (values <= edges[-1])
    np.testing.assert_allclose(rows[inside, :-1].sum(1), np.interp(values[inside], edges, np.arange(17)), atol=1e-12)
    place = np.searchsorted(edges, values[inside], "right") - 1
    assert all(
        (row[:at] == 1).all() and (row[at + 1 :] == 0).all() for row, at in zip(rows[inside, :-1], place, strict=True)
    )
    np.testing.assert_array_equal(rows[:, -1], frame.income.isna())
    counts = np.histogram(frame.income[TRAIN].dropna(), edges)[0]
    assert counts.min() >= counts.sum() / 16 - 1
    far = columns.rows_of(
        pd.DataFrame({"income": [edges[0] - 3 * (edges[1] - edges[0]), edges[-1] + 2 * (edges[-1] - edges[-2])]})
    )
    np.testing.assert_allclose(far[:, [0, 15]], [[-3, 0], [1, 3]])


@pytest.mark.parametrize(
    ("values", "edges"), [([5.0] * 200, ()), ([1.0, 4.0] * 100, (1.0, 4.0)), ([0.0, 1.0, 2.0, 9.0] * 50, (0, 1, 2, 9))]
)
def test_few_different_numbers_have_a_bin_between_each(values: list[float], edges: tuple[float, ...]) -> None:
    columns = columns_of(pd.DataFrame({"x": values}), ["x"], "piecewise_linear")
    assert columns.columns[0].edges == edges
    assert len(columns.features) == max(len(edges) - 1, 1)
    assert columns.rows_of(pd.DataFrame({"x": values})).shape == (200, len(columns.features))


def test_few_rows_have_few_bins() -> None:
    frame = pd.DataFrame({"x": np.arange(45.0)})
    assert len(fitted(Table(frame, "x"), ["x"], np.arange(45), "piecewise_linear").features) == 4


@pytest.mark.parametrize("numbers", ["standardize", "quantile", "piecewise_linear"])
def test_columns_are_json(numbers: Numbers) -> None:
    columns = columns_of(FRAME, FEATURES, numbers)
    again = TableColumns.from_dict(json.loads(json.dumps(columns.to_dict())))
    assert again == columns
    np.testing.assert_array_equal(again.rows_of(FRAME), columns.rows_of(FRAME))


def test_doubtful_values_are_told() -> None:
    columns = columns_of(FRAME[FRAME.town.isin(["A", "B"])].reset_index(drop=True)[:200], ["income", "town"])
    rows = FRAME[:3].assign(income=[1.0, np.nan, 2.0], town=["A", "E", None])
    with pytest.warns(JaxdeepWarning, match=r"1 values of 'income' are missing.*2 values of 'town' are missing or in"):
        found = columns.rows_of(rows)
    assert found[1, 0] == columns.columns[0].median
    np.testing.assert_array_equal(columns.rows_of(rows, check=False), found)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: made(target="chrun"), "no target 'chrun'. Perhaps you mean churn"),
        (lambda: made(drop=("vistor",)), "'vistor'. Perhaps you mean visitor"),
        (lambda: made(drop="visitor"), r"Give a tuple of names"),
        (lambda: made(group="visitors"), "Perhaps you mean visitor"),
        (lambda: made(group="visitor", data=replace(DATA, resample=True)), "data.resample would draw rows of a group"),
        (lambda: made(group="churn"), "is the group or the weight too"),
        (lambda: made(FRAME[:9], group="member", data=Data(valid_size=2)), "there are 2 groups, and 3 parts"),
        (lambda: made(target="town"), "27 of 300 rows of the table miss the target 'town'"),
        (lambda: made(target="income"), "the target 'income' has .* different numbers in"),
        (lambda: made(FRAME.assign(note=[f"n{i}" for i in range(ROWS)])), r"'note' is text, .*drop=\('note',\)"),
        (lambda: made(FRAME.assign(day=pd.Timestamp("2020-01-01"))), "'day' is dates or times"),
        (lambda: made(FRAME.assign(pair=[[1]] * ROWS)), "'pair' is nested"),
        (lambda: made(FRAME.assign(gap=np.nan)), "'gap' is without a value in the training rows"),
        (lambda: made(FRAME.assign(mixed=["a", 1] * (ROWS // 2))), "'mixed' of the table has no one type"),
        (lambda: made(FRAME.assign(income=np.inf)), r"300 values of the column 'income' .* \(inf\) in row 0"),
        (lambda: made(FRAME[["churn"]], drop=()), "no column that can be a feature"),
        (lambda: made(pd.concat([FRAME, FRAME], axis=1)), "cannot be read as a table"),
        (lambda: made(np.ones((3, 2))), "the table is a ndarray. Give a data frame"),
        (lambda: made("none.csv"), "none.csv cannot be read"),
        (lambda: made("none.xlsx"), "none.xlsx is no table by its name"),
        (lambda: made(test=1.5), "test is 1.5. Give a share"),
        (lambda: made(test=0), "test is 0. Give a share"),
        (lambda: made(split_seed=-1), "split_seed is -1"),
        (lambda: made(test=240), "240 test and 60 validation rows leave none"),
        (lambda: made(test=FRAME.drop(columns="age")), "the test table lacks the column age"),
        (lambda: made(test=FRAME.drop(columns="churn")), "the test table has no target 'churn'"),
        (lambda: made(numbers="ranks"), "numbers is 'ranks'"),
        (lambda: columns_of(FRAME, FEATURES).rows_of(FRAME[["age"]]), "lacks the columns income, town, member"),
        (lambda: columns_of(FRAME, FEATURES).rows_of(FRAME[:0]), "has no rows"),
        (lambda: columns_of(FRAME, FEATURES).rows_of(FRAME.assign(age="old")), "'age' .* expected numbers"),
        (lambda: columns_of(FRAME, FEATURES).rows_of(FRAME.assign(town=[[1]] * ROWS)), "'town' .* expected text"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(call: Callable[[], Any], message: str) -> None:
    with refused(rf"(?s)\A(?!.*\n).*{message}"):
        call()


def test_an_index_of_pandas_is_no_feature(tmp_path) -> None:
    shifted = FRAME.set_axis(np.arange(ROWS) * 2)
    shifted.to_parquet(tmp_path / "visits.parquet")
    assert made(tmp_path / "visits.parquet", name="table").identity() == made().identity()
    shifted.to_csv(tmp_path / "visits.csv")
    with refused("has a column without a name, as pandas writes its index"):
        made(tmp_path / "visits.csv")
    assert made(tmp_path / "visits.csv", drop=("visitor", ""), name="table").identity() == made().identity()


def test_a_damaged_file_is_one_line(tmp_path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with refused(r"\A.*bad.parquet: not a readable table .*\Z"):
        made(tmp_path / "bad.parquet")


def test_the_extra_is_named_if_a_package_is_absent(monkeypatch) -> None:
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with refused(r"needs narwhals and pyarrow .* Install jaxdeep\[tables\]"):
        made()


def test_a_weight_column_goes_with_its_rows_and_is_no_feature() -> None:
    frame = small_frame().assign(counts=lambda frame: 2 * frame["income"])
    plain = Dataset.from_table(small_frame(), "churn", data=DATA)
    weighted = Dataset.from_table(frame, "churn", data=DATA, weight="counts", class_weights="balanced")
    assert weighted.info.table == plain.info.table
    assert plain.info.digest != weighted.info.digest
    income = weighted.info.columns.names.index("income")
    shares = np.bincount(weighted.train.own_labels) / weighted.train.size
    for name in ("train", "valid", "test"):
        split = getattr(weighted, name)
        np.testing.assert_array_equal(split.own_images, getattr(plain, name).own_images)
        np.testing.assert_allclose(split.own_weights, split.own_images[:, income] / shares[split.own_labels], rtol=1e-5)
    with pytest.raises(UserError, match="row_weights holds -1"):
        Dataset.from_table(frame.assign(counts=-1.0), "churn", data=DATA, weight="counts")
    with pytest.raises(UserError, match="count"):
        Dataset.from_table(frame, "churn", data=DATA, weight="count")
