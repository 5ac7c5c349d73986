"""The masks of MC dropout: their random words against Threefry in NumPy, and their rates at the ends of the range."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdeep.nn.layers import MaskBits, alpha_dropout, dropout, dropout_mask

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(key: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Threefry-2x32 with 20 rounds, from Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011)."""
    keys = [*key.astype(np.uint32), key[0] ^ key[1] ^ np.uint32(0x1BD11BDA)]
    one, other = one + keys[0], other + keys[1]
    for group in range(5):
        for by in ROTATIONS[group % 2]:
            one = one + other
            other = (other << np.uint32(by) | other >> np.uint32(32 - by)) ^ one
        one = one + keys[(group + 1) % 3]
        other = other + keys[(group + 2) % 3] + np.uint32(group + 1)
    return one, other


def test_the_reference_gives_the_authors_known_answers() -> None:
    for word, expected in ((0, (0x6B200159, 0x99BA4EFE)), (0xFFFFFFFF, (0x1CB996FC, 0xBB002BE7))):
        of = np.full(2, word, np.uint32)
        assert tuple(int(found[0]) for found in threefry(of, of[:1], of[1:])) == expected


@pytest.mark.parametrize("shape", [(1,), (5, 3), (32, 100)])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_mask_is_cut_from_both_words_of_each_block_of_threefry(shape: tuple[int, ...], bits: MaskBits) -> None:
    key, rate = jax.random.key(3), 0.3
    words = -(-int(np.prod(shape)) * bits // 32)
    counters = np.arange(words + words % 2, dtype=np.uint32)  # an odd number is filled up
    counters[words:] = 0
    drawn = np.concatenate(threefry(np.asarray(jax.random.key_data(key)), *np.split(counters, 2)))[:words]
    kept = drawn.view(f"uint{bits}")[: int(np.prod(shape))].reshape(shape) >= round(rate * 2**bits)
    np.testing.assert_array_equal(dropout_mask(key, shape, "float32", rate, bits)[0], kept)


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_the_halves_of_a_mask_and_the_masks_of_other_keys_are_independent(impl: str) -> None:
    """Five standard errors of a correlation, and of a share."""
    count = 2**18
    keys = jax.random.split(jax.random.key(1, impl=impl), 2)
    masks = np.asarray(jax.vmap(lambda key: dropout_mask(key, (count,), "float32", 0.25, 16)[0])(keys), float)
    assert np.abs(masks.mean(1) - 0.75).max() < 5 * np.sqrt(0.25 * 0.75 / count)
    one, other = masks
    for a, b in (np.split(one, 2), (one[1:], one[:-1]), (one[2:], one[:-2]), (one[4:], one[:-4]), (one, other)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(len(a))


@pytest.mark.parametrize("drop", [dropout, alpha_dropout])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("rate", [1e-7, 1 - 2**-24])
def test_a_rate_between_0_and_1_drops_some_and_keeps_some_and_all_is_finite(drop: Any, bits: Any, rate: float) -> None:
    key, x = jax.random.key(0), jnp.ones(2**20)
    mask = dropout_mask(key, x.shape, "float32", rate, bits)
    found, moved = (np.asarray(drop(of, *mask)) for of in (x, x + 1))
    rarer = (found == moved).mean() if rate < 0.5 else (found != moved).mean()
    assert np.isfinite(found).all()
    assert rarer > 0
    assert rarer == pytest.approx(2.0**-bits, abs=5 * np.sqrt(2.0**-bits / len(x)))


def test_a_rate_of_0_drops_nothing_with_few_bits_either() -> None:
    x = jnp.linspace(-1, 1, 1_000)
    for drop in (dropout, alpha_dropout):
        mask = dropout_mask(jax.random.key(0), x.shape, "float32", jnp.asarray(0.0), 8)
        np.testing.assert_allclose(drop(x, *mask), x, rtol=1e-6)
