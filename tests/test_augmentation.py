"""Training images shifted and mirrored: the images themselves, the draws, and their place in a step and a run."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from small_data import QUICK, SMALL, lean_compilation, small_dataset

from jaxdeep.config import Config, Data, Optim, Schedule
from jaxdeep.data.augmentation import augmented, check_augmentation
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.train import evaluate, forward, step
from jaxdeep.train.fit import Run, fit

HEIGHT, WIDTH = 5, 7
SHAPES = [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 1), (HEIGHT, WIDTH, 3)]
CHANGES = [Data(shift_pixels=2), Data(flip=True), Data(shift_pixels=1, flip=True), Data(shift_pixels=4, flip=True)]
compiled = jax.jit(augmented, static_argnums=(2, 3), compiler_options=QUICK)
quick = partial(jax.jit, static_argnums=0, compiler_options=QUICK)


class Change(NamedTuple):
    """Of one image: down and to the right by so many pixels, then mirrored or not."""

    down: int
    right: int
    mirrored: bool


def drawn(key: jax.Array, count: int, data: Data) -> list[Change]:
    """What happens to `count` images, read off images whose pixels say where they stood."""
    places = np.arange(1, HEIGHT * WIDTH + 1, dtype=np.uint8)
    rows = np.asarray(compiled(key, jnp.tile(places, (count, 1)), (HEIGHT, WIDTH), data))
    return [change_of(row.reshape(HEIGHT, WIDTH)) for row in rows]


def change_of(image: np.ndarray) -> Change:
    (row, *_), (column, *_) = (axis.tolist() for axis in np.nonzero(image))
    shown = image[image > 0].reshape(np.ptp(np.nonzero(image), 1) + 1)
    assert shown.shape[1] > 1  # or it could not be told
    mirrored = bool(shown[0, 0] > shown[0, 1])
    was_row, was_column = divmod(int(shown.min()) - 1, WIDTH)
    column = WIDTH - column - shown.shape[1] if mirrored else column  # before it was mirrored
    return Change(row - was_row, column - was_column, mirrored)


def by_loop(image: np.ndarray, change: Change) -> np.ndarray:
    """The definition, pixel by pixel."""
    shifted = np.zeros_like(image)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            was_row, was_column = row - change.down, column - change.right
            if 0 <= was_row < HEIGHT and 0 <= was_column < WIDTH:
                shifted[row, column] = image[was_row, was_column]
    if not change.mirrored:
        return shifted
    return np.stack([shifted[:, WIDTH - 1 - column] for column in range(WIDTH)], 1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("data", CHANGES, ids=lambda data: f"{data.shift_pixels}-{data.flip}")
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_images_are_padded_with_zeros_cut_out_and_mirrored(shape, data, dtype):
    images = np.random.default_rng(0).integers(1, 256, (200, *shape)).astype(dtype)
    found = compiled(jax.random.key(1), jnp.asarray(images.reshape(200, -1)), shape, data)
    assert found.dtype == dtype
    changes = drawn(jax.random.key(1), 200, data)
    expected = [by_loop(image, change) for image, change in zip(images, changes, strict=True)]
    np.testing.assert_array_equal(found, np.reshape(expected, (200, -1)))


@pytest.mark.parametrize("data", [Data(shift_pixels=2, flip=True), Data(shift_pixels=1), Data(flip=True)])
def test_every_change_is_as_likely_as_every_other_and_each_images_own(data):
    changes = drawn(jax.random.key(2), 20_000, data)
    reach = range(-data.shift_pixels, data.shift_pixels + 1)
    kinds = [Change(down, right, flip) for down in reach for right in reach for flip in {False, data.flip}]
    codes = np.asarray([kinds.index(change) for change in changes])
    counts = np.bincount(codes, minlength=len(kinds))
    assert stats.chisquare(counts).pvalue > 1e-3  # of all at once: so shifts and mirrors are independent of each other
    pairs = np.bincount(codes[:-1] * len(kinds) + codes[1:], minlength=len(kinds) ** 2)
    assert stats.chisquare(pairs).pvalue > 1e-3  # and so are neighbours


def test_the_key_alone_decides():
    data = Data(shift_pixels=2, flip=True)
    once, again, other = (drawn(jax.random.key(seed), 300, data) for seed in (3, 3, 4))
    assert once == again
    same = np.mean([one == another for one, another in zip(once, other, strict=True)])
    assert same < 0.1  # by chance 1 / 50


@pytest.mark.parametrize(
    ("data", "shape", "message"),
    [
        (Data(flip=True), (20,), r"need images, found \(20,\)\. Give images \[H, W\] or \[H, W, channels\]"),
        (Data(shift_pixels=1), (4, 4, 4, 3), r"found \(4, 4, 4, 3\)"),
        (Data(flip=True), (3, 8, 8), r"channels last, found \(3, 8, 8\) with channels first. Give images.transpose"),
        (Data(shift_pixels=1), (1, 28, 28), r"channels last, found \(1, 28, 28\)"),
        (Data(shift_pixels=4), (6, 4, 3), r"data.shift_pixels is 4 for an image of \(6, 4, 3\)"),
    ],
)
def test_what_cannot_be_augmented_is_refused_before_a_run(data, shape, message):
    with pytest.raises(UserError, match=message):
        check_augmentation(data, shape)
    config = replace(SMALL, data=replace(data, valid_size=20))
    images = np.random.default_rng(0).integers(0, 256, (60, *shape), dtype=np.uint8)
    with pytest.raises(UserError, match=message):
        fit(config, Dataset.from_arrays(images, np.arange(60) % 2, data=config.data))


def test_what_can_be_augmented_is_not_refused():
    check_augmentation(Data(), (20,))
    check_augmentation(Data(shift_pixels=3, flip=True), (6, 4))
    check_augmentation(Data(flip=True), (3, 3, 3))
    check_augmentation(Data(flip=True), (32, 32, 12))
    check_augmentation(Data(), (3, 32, 32))


PLAIN = replace(SMALL, model=replace(SMALL.model, units=(12,)))
AUGMENTED = replace(PLAIN, data=replace(PLAIN.data, shift_pixels=1, flip=True))


def test_a_step_sees_changed_images_with_their_own_labels_scaled_after_that():
    data = small_dataset(AUGMENTED)
    state = quick(step.start)(PLAIN, PLAIN.hyper(), data, jax.random.key(0))
    batch, key = forward.Batch(jnp.arange(40, 72)), jax.random.key(5)
    changes = jax.random.fold_in(key, forward.AUGMENTATION)
    rows = compiled(changes, data.train.images[batch.rows], data.image_shape, AUGMENTED.data)
    images = data.train.images.at[batch.rows].set(rows)
    changed = replace(data, train=data.train._replace(images=images))

    def loss(config: Config, data: Dataset) -> float:
        of_config = quick(lambda config, params, *others: forward.batch_loss(params, config, *others))
        return float(of_config(config, state.params, state.batch_stats, config.hyper(), data, batch, key)[0])

    assert loss(AUGMENTED, data) == loss(PLAIN, changed)
    assert loss(AUGMENTED, data) != loss(PLAIN, data)


def test_evaluation_is_of_the_images_as_they_are():
    data = small_dataset(AUGMENTED)
    state = quick(step.start)(PLAIN, PLAIN.hyper(), data, jax.random.key(0))
    ours, plain = (
        quick(evaluate.evaluate)(config, state.params, state.batch_stats, config.hyper(), data, data.valid)
        for config in (AUGMENTED, PLAIN)
    )
    assert ours[:2] == plain[:2]


def without_time(run: Run) -> tuple:
    return run.test_loss, [record._replace(seconds=0) for record in run.history]


def test_an_augmented_run_is_a_function_of_its_seed_and_continues_to_the_same_bits(tmp_path):
    class Stop(Exception):
        pass

    def stop_at_2(history) -> None:
        if len(history) == 2:
            raise Stop

    data = small_dataset(AUGMENTED)
    whole = fit(AUGMENTED, data, seed=0)
    with pytest.raises(Stop):
        fit(AUGMENTED, data, seed=0, checkpoints=tmp_path, on_epoch=stop_at_2)
    resumed = fit(AUGMENTED, data, seed=0, checkpoints=tmp_path)
    assert without_time(resumed) == without_time(whole) == without_time(fit(AUGMENTED, data, seed=0))
    for one, other in zip(jax.tree.leaves(resumed.params), jax.tree.leaves(whole.params), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("changes", [{"shift_pixels": 1}, {"flip": True}])
def test_the_changes_are_the_same_with_and_without_64_bit_types(changes):
    rows = np.random.default_rng(0).integers(0, 256, (50, HEIGHT * WIDTH), dtype=np.uint8)
    found = []
    for enabled in (False, True):
        with jax.enable_x64(enabled):
            found.append(np.asarray(augmented(jax.random.key(1), jnp.asarray(rows), (HEIGHT, WIDTH), Data(**changes))))
    np.testing.assert_array_equal(*found)


WIDE = {
    "augmented": AUGMENTED,
    "dropout and batch norm": replace(
        PLAIN, model=replace(PLAIN.model, dropout_sites="every", dropout_rate=0.2, batch_norm=True)
    ),
    "rrelu and cosine": replace(
        PLAIN, model=replace(PLAIN.model, activation="rrelu"), schedule=Schedule("cosine", warmup_steps=3)
    ),
    "plateau and clipping": replace(
        PLAIN, optim=Optim("momentum", 1e-2, clip_norm=1.0), schedule=Schedule("plateau", patience_epochs=1)
    ),
}


@pytest.mark.parametrize(
    "name",
    ["augmented", "rrelu and cosine"]
    + [pytest.param(name, marks=pytest.mark.slow) for name in ("dropout and batch norm", "plateau and clipping")],
)
def test_a_float32_run_is_the_same_with_and_without_64_bit_types(name):
    config = WIDE[name]
    runs = []
    for enabled in (False, True):
        with jax.enable_x64(enabled), lean_compilation():
            runs.append(fit(config, small_dataset(config), seed=0))
    assert without_time(runs[0]) == without_time(runs[1])
    for one, other in zip(*(jax.tree.leaves(run.params) for run in runs), strict=True):
        np.testing.assert_array_equal(one, other)
