"""What `--summary` prints of layers that differ."""

from jaxdeep.config import Model
from jaxdeep.report.architecture import architecture_table


def layers_of(model: Model, classes: int = 10) -> list[str]:
    """The second column of the rows of the layers."""
    rows = architecture_table(model, 784, classes).splitlines()[2:-1]
    return [" ".join(row.split("[B,")[0].split()[1:]) for row in rows]


def test_layers_of_one_kind_are_a_row_with_all_their_dropout_rates() -> None:
    model = Model((100,) * 4, batch_norm=True, batch_norm_place="input", dropout_rate=(0.0, 0.2, 0.3, 0.2, 0.0))
    assert layers_of(model) == [
        "batch norm, dense 100, selu",
        "- 3 3 x [dropout 0.2 / 0.3, batch norm, dense 100, selu]",
        "dense 10",
    ]


def test_layers_that_differ_are_rows_of_their_own() -> None:
    model = Model((100,) * 3, batch_norm=(False, True, False), skip=True, activation="glu", dropout_rate=(0, 0, 0, 0.1))
    assert layers_of(model) == [
        "dense 200, glu",
        "dense 200, batch norm, glu, skip",
        "dense 200, glu, skip",
        "dropout 0.1, dense 10",
    ]


def test_one_sigmoid_unit_is_counted_as_one() -> None:
    table = architecture_table(Model((100,), head="sigmoid"), 784, 2)
    assert f"{784 * 100 + 100 + 101:,}" in table
    assert layers_of(Model((100,), head="sigmoid"), 2)[-1] == "dense 1"
