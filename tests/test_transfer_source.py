"""A source that does not fit is refused in one line, and a source is known by its network, not by its path."""

import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import a_users_own
import numpy as np
import pytest
from small_data import SMALL, lean_compilation, small_arrays, small_dataset
from small_transfer import TARGET, assert_same_run, drawn_source

from jaxdeep import Dataset, Run, UserError, fit, fit_all, run_study
from jaxdeep.config import Config, Transfer
from jaxdeep.study.sources import source_digest, sources_of
from jaxdeep.study.trial import Trial
from jaxdeep.train.lr_finder import find_learning_rate
from jaxdeep.train.source import Source, prepared, resolved, source_of

DATA = small_dataset(SMALL)
QUICK = TARGET.updated({"train.epochs": 1})


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def refused(pattern: str) -> AbstractContextManager[object]:
    """A context that must raise a UserError of one line."""
    return pytest.raises(UserError, match=rf"\A{pattern}\Z")


def drawn(changes: dict[str, Any], data: Dataset = DATA) -> Source:
    return Source(drawn_source(SMALL.updated(changes), data))


MISFITS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another width": (
        {"model.units": (12, 9, 12)},
        {},
        r"layer 1 is reused, .*: units 9 there, 12 here\. Give the model the source's values, or reuse 1 layers\.",
    ),
    "no batch normalisation": (
        {"model.batch_norm": (True, False, False)},
        {},
        r"layer 0 is reused, .*: batch_norm before there, None here\. Give the model .*, or reuse no layers\.",
    ),
    "no batch normalisation of the input": (
        {"model.batch_norm_input": True},
        {},
        r"layer 0 .*: batch_norm_input True .*",
    ),
    "another place": (
        {"model.batch_norm": True},
        {"model.batch_norm": True, "model.batch_norm_place": "after"},
        r"layer 0 .*: batch_norm before there, after here\. .*",
    ),
    "another activation": (
        {"model.activation": "elu"},
        {},
        r"layer 0 is reused, .*: activation elu there, selu here\. .*",
    ),
    "another slope": (
        {"model.activation": "leaky_relu", "model.alpha": 0.3},
        {"model.activation": "leaky_relu"},
        r"layer 0 .*: alpha 0\.3 there, None here\. .*",
    ),
    "no biases": ({"model.use_bias": False}, {}, r"layer 0 .*: use_bias False there, True here\. .*"),
    "skips": ({"model.skip": True}, {}, r"layer 1 .*: skip True there, False here\. .*"),
    "another scaling": (
        {"data.scaling": "unit"},
        {},
        r"data\.scaling is standardize, and the source's is unit\. Give the source's, .*",
    ),
    "more layers than it has": (
        {"model.units": (12,)},
        {},
        r"transfer\.layers is 2\. Allowed: 0 \.\. 1, the source's hidden layers\.",
    ),
    "a head of another width": (
        {"model.units": (12, 12, 9)},
        {"transfer.head": "kept"},
        r"the output layer is kept, .*: inputs 9 there, 12 here\. Give .* set transfer\.head to new\.",
    ),
    "only the head": (
        {"model.units": (12, 12, 9)},
        {"transfer.layers": 0, "transfer.added": (12,), "transfer.head": "kept"},
        r"the output layer is kept, .*: inputs 9 there, 12 here\. .*",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_source_that_does_not_fit_is_refused_with_what_differs(case: str) -> None:
    of_source, of_target, pattern = MISFITS[case]
    source = drawn(of_source, small_dataset(SMALL.updated(of_source)))
    config = TARGET.updated(of_target)
    with refused(pattern):
        fit(config, small_dataset(config), source=source.run)


def test_rows_of_another_shape_are_refused() -> None:
    images, labels = small_arrays(200)
    wide = Dataset.from_arrays(np.concatenate([images, images], 1), labels, data=SMALL.data)
    with refused(r"the source's rows have the shape \(6, 6, 1\), and these have \(12, 6, 1\)\. Give rows .* shape\."):
        fit(TARGET, wide, source=drawn({}).run)
    flat = Dataset.from_arrays(images.reshape(200, 36), labels, data=SMALL.data)
    assert prepared(TARGET, flat, drawn({})).image_shape == (36,)


def test_pixels_on_another_scale_are_refused() -> None:
    images, labels = small_arrays(200)
    bright = Dataset.from_arrays(np.float32(images) / 255, labels, data=SMALL.data)
    with refused(r"the source's rows are in 0\.\.255, and these are in 0\.\.1, another scale of pixels\. Give rows .*"):
        fit(TARGET, bright, source=drawn({}).run)
    with refused(r"the source's rows are in 0\.\.1, and these are in 0\.\.255, .*"):
        fit(TARGET, DATA, source=drawn({}, bright).run)


def test_a_source_without_a_best_epoch_is_refused() -> None:
    for diverged, why in ((True, "diverged"), (False, "was stopped")):
        run = replace(drawn({}).run, best_epoch=0, diverged=diverged, seed=5)
        with refused(rf"the source, a run with seed 5, {why} before it had a best epoch.* Give another source\."):
            fit(TARGET, DATA, source=run)


def test_paths_that_name_no_network_are_refused(tmp_path: Path) -> None:
    with refused(rf"{re.escape(str(tmp_path))}/none\.npz.*"):
        fit(TARGET, DATA, source=tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no network")
    with refused(rf"{re.escape(str(tmp_path))}/text\.npz.*"):
        fit(TARGET.updated({"transfer.source": str(tmp_path / "text.npz")}), DATA)
    with refused(rf"{re.escape(str(tmp_path))} has no saved run\. .*"):
        fit(TARGET, DATA, source=tmp_path)
    with refused(r"source is 3\. Allowed: a Run, a path, or None\."):
        fit(TARGET, DATA, source=3)  # pyright: ignore[reportArgumentType]


def test_reused_layers_need_a_source() -> None:
    with refused(r"transfer\.layers is 2, and there is no source\. Give transfer\.source, or source= from Python\."):
        fit(TARGET, DATA)


def test_a_function_of_the_users_own_is_given_as_a_run(tmp_path: Path) -> None:
    own = {"model.activation": a_users_own.snake}
    source = drawn_source(SMALL.updated(own), DATA)
    source.save(tmp_path / "own.npz")
    with refused(r".*own\.npz: a function of your own is in the configuration.* Give load the configuration .*"):
        fit(TARGET.updated(own), DATA, source=tmp_path / "own.npz")
    assert fit(QUICK.updated(own), DATA, source=source).history[0].train_loss > 0


@pytest.mark.parametrize(
    ("fields", "pattern"),
    [
        ({"rate_factor": 0.1}, r"transfer\.rate_factor is 0\.1 .* Give transfer\.source or transfer\.layers, or .*"),
        ({"rate_factor": 0.0, "layers": 1}, r"transfer\.rate_factor is 0\.0\. Allowed: above 0 and finite\."),
        ({"layers": 2, "unfreeze": 1, "unfreeze_epoch": 2, "gradual": True}, r"transfer\.gradual has no effect .*"),
        ({"frozen": (1, 1)}, r"transfer\.frozen is \(1, 1\)\. Allowed: reused, none, or different indices\."),
        ({"layers": -1}, r"transfer\.layers is -1\. Allowed: 0 or more, or None\."),
        ({"layers": 1, "added": (0,)}, r"transfer\.added is \(0,\)\. Allowed: widths of 1 or more\."),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields: dict[str, Any], pattern: str) -> None:
    with refused(pattern):
        Transfer(**fields)


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"transfer.unfreeze": 3}, r"transfer\.unfreeze is 3, and 2 layers are frozen\. Give 0 to 2\."),
        (
            {"transfer.layers": None, "transfer.added": (), "transfer.unfreeze": 1},
            r"transfer\.unfreeze is 1, and 0 layers are frozen\. Give transfer\.layers or .*",
        ),
        (
            {"transfer.unfreeze": 1, "transfer.unfreeze_epoch": 4},
            r"train\.epochs is 4, and the last layers are unfrozen behind epoch 4\. Give more epochs, .*",
        ),
        ({"transfer.layers": 4}, r"transfer\.layers is 4\. Allowed: 0 \.\. 3, or None\."),
        ({"transfer.layers": 0, "transfer.added": ()}, r"transfer\.layers is 0 and transfer\.added is empty\. .*"),
        ({"transfer.frozen": (0, 4)}, r"transfer\.frozen is \(0, 4\)\. Allowed: .* indices 0 \.\. 3\."),
        ({"transfer.frozen": (0, 1, 2, 3)}, r"transfer\.frozen is .*"),
    ],
)
def test_layers_that_the_network_does_not_have_are_refused(changes: dict[str, Any], pattern: str) -> None:
    with refused(pattern):
        TARGET.updated(changes)


def test_a_range_test_is_refused_where_layers_are_reused_or_frozen() -> None:
    for config in (TARGET, SMALL.updated({"transfer.frozen": (0,)}), SMALL.updated({"transfer.source": "a.npz"})):
        with refused(r"a range test trains all layers from new weights, and transfer reuses or freezes some\. .*"):
            find_learning_rate(config, DATA, [1])


def test_all_hidden_layers_are_reused_where_the_number_is_open() -> None:
    config = resolved(
        TARGET.updated({"transfer.layers": None, "transfer.added": (), "transfer.source": "a"}), drawn({})
    )
    assert config.transfer.layers == 3
    assert resolved(SMALL, None) is SMALL


def test_another_source_is_refused_and_the_same_one_continues_from_any_path(tmp_path: Path) -> None:
    one, other = (drawn_source(SMALL, DATA, seed) for seed in (1, 2))
    for name in ("a", "b"):
        one.save(tmp_path / f"{name}.npz")

    def train(source: Run | str) -> Run:
        config = QUICK.updated({"transfer.source": str(tmp_path / source)} if isinstance(source, str) else {})
        return fit(config, DATA, checkpoints=tmp_path / "kept", source=None if isinstance(source, str) else source)

    kept, seen = train("a.npz"), len(list((tmp_path / "kept").iterdir()))
    assert_same_run(train("b.npz"), kept)
    assert_same_run(train(one), kept)
    assert len(list((tmp_path / "kept").iterdir())) == seen
    with pytest.raises(UserError, match=r"kept holds another run: source \(there '\w{64}', here '\w{64}'\)"):
        train(other)


def test_trials_find_their_sources_by_seed_or_by_a_function() -> None:
    runs = {seed: drawn_source(SMALL, DATA, seed) for seed in (1, 2)}
    trials = [Trial(TARGET, seed) for seed in (1, 2, 1)]
    found = sources_of(trials, lambda trial: runs[trial.seed])
    assert [source and source.run.seed for source in found] == [1, 2, 1]
    assert found[0] is found[2]
    assert sources_of([Trial(SMALL, 1)], None) == [None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two seeds."""
    path = tmp_path_factory.mktemp("study") / "a"
    run_study(SMALL.updated({"train.epochs": 1}), DATA, seeds=2, folder=path)
    return path


def test_each_seed_takes_the_network_of_its_own(folder: Path) -> None:
    for seed in (42, 43):
        source = source_of(TARGET, seed, folder)
        assert source is not None
        assert source.run.seed == seed
    with refused(r".* has 2 networks, 0 of them with seed 44\. Give transfer\.source the file of one.*"):
        fit_all([Trial(TARGET, 44)], DATA, source=folder)


def test_a_study_grows_by_seeds_with_the_folder_that_it_starts_from(tmp_path: Path) -> None:
    first, then = tmp_path / "a", tmp_path / "b"
    short = SMALL.updated({"train.epochs": 1})
    digests = []
    for seeds in (1, 2):
        run_study(short, DATA, seeds=seeds, folder=first)
        grown = run_study(QUICK, DATA, seeds=seeds, folder=then, source=first)
        assert len(grown.trials) == seeds
        assert [index in grown.runs for index in range(seeds)] == [False, True][-seeds:]
        digests.append(grown.source)
    assert len(set(digests)) == 1
    shutil.move(first, tmp_path / "moved")
    again = run_study(QUICK.updated({"transfer.source": str(tmp_path / "moved")}), DATA, seeds=2, folder=then)
    assert not again.runs
    assert again.source == digests[0]


def test_one_network_for_several_seeds_is_known_by_its_weights(folder: Path, tmp_path: Path) -> None:
    """Such a study does not change its meaning when the folder grows."""
    (tmp_path / "a" / "networks").mkdir(parents=True)
    shutil.copy(folder / "config.json", tmp_path / "a")
    shutil.copy(folder / "networks" / "seed_42.npz", tmp_path / "a" / "networks")
    network = source_of(TARGET, 42, tmp_path / "a")
    assert network is not None
    assert source_digest(TARGET, (7, 8), tmp_path / "a") == network.digest
    assert source_digest(TARGET, (42, 43), folder) != network.digest


def test_a_study_from_another_source_is_refused(folder: Path, tmp_path: Path) -> None:
    one, other = (drawn_source(SMALL, DATA, seed) for seed in (1, 2))
    run_study(QUICK, DATA, folder=tmp_path / "b", source=one)
    with pytest.raises(UserError, match=r"another run.*: source \(there"):
        run_study(QUICK, DATA, folder=tmp_path / "b", source=other)
    scratch: Config = SMALL.updated({"train.epochs": 1})
    assert source_digest(scratch, (42,)) is None
