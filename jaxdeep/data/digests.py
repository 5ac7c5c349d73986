"""The official content of the classic sets as size and md5 of each unpacked part.

Anybody may pack a file, so only its content is compared. The arrays of an `.npz` file are compared as the idx files
that they make. The md5s of CIFAR-10's python batches are the published ones. The md5s of its binary batches and of the
idx files were computed from real files. Their archives had the published md5s.
"""

import hashlib
from typing import NamedTuple

from jaxdeep.errors import UserError


class Digest(NamedTuple):
    """Size and md5 by which the bytes of a part are recognised.

    Attributes:
        size: Number of bytes.
        md5: 32 hexadecimal digits.
    """

    size: int
    md5: str


def digest_of(data: bytes) -> Digest:
    """Return the size and md5 of some bytes.

    Args:
        data: Unpacked bytes of a part.

    Returns:
        The digest.
    """
    return Digest(len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())


def owner_of(part: str, found: Digest) -> str | None:
    """Return the set that a part belongs to.

    Args:
        part: File name of the part, such as "train-images-idx3-ubyte".
        found: Digest of the bytes that are there.

    Returns:
        The name of the set whose official part has this digest, or None.
    """
    return next((name for name, parts in OFFICIAL.items() if parts.get(part) == found), None)


def check(name: str, part: str, found: Digest, file: str) -> None:
    """Refuse content that is not the official one.

    Every set that `load_images` knows has all its parts in OFFICIAL. A set without an entry is not checked. Tests that
    write small random images replace OFFICIAL.

    Args:
        name: One of "cifar10", "mnist" and "fashion_mnist".
        part: File name of the part, such as "train-images-idx3-ubyte".
        found: Digest of the unpacked bytes that are there.
        file: Origin of the bytes, for the error.

    Raises:
        UserError: The part is another set's, or is damaged or altered.
    """
    official = OFFICIAL.get(name, {}).get(part)
    if official is None or found == official:
        return
    owner = owner_of(part, found)
    if owner is not None:
        raise UserError(f"{file}: found {owner}'s {part}, expected {name}'s. Give {name}'s files, or ask for {owner}.")
    raise UserError(
        f"{file}: found content of {found.size:,} bytes, md5 {found.md5}, expected {official.size:,} bytes, md5 "
        f"{official.md5}. It is damaged or altered. Get {name}'s official file again."
    )


OFFICIAL: dict[str, dict[str, Digest]] = {
    "cifar10": {
        "data_batch_1": Digest(31_035_704, "c99cafc152244af753f735de768cd75f"),
        "data_batch_2": Digest(31_035_320, "d4bba439e000b95fd0a9bffe97cbabec"),
        "data_batch_3": Digest(31_035_999, "54ebc095f3ab1f0389bbae665268c751"),
        "data_batch_4": Digest(31_035_696, "634d18415352ddfa80567beed471001a"),
        "data_batch_5": Digest(31_035_623, "482c414d41f54cd18b22e5b47cb7c3cb"),
        "test_batch": Digest(31_035_526, "40351d587109b95175f43aff81a1287e"),
        "data_batch_1.bin": Digest(30_730_000, "5dd7e06a14cb22eb9f671a540d1b7c25"),
        "data_batch_2.bin": Digest(30_730_000, "5ea93a67294ea407fff1d09f752e9692"),
        "data_batch_3.bin": Digest(30_730_000, "942cd6a4bcdd0dd3c604fbe906cb4421"),
        "data_batch_4.bin": Digest(30_730_000, "ae636b3ba5c66a11e91e8cb52e771fcb"),
        "data_batch_5.bin": Digest(30_730_000, "53f37980c15c3d472c316c40844f3f0d"),
        "test_batch.bin": Digest(30_730_000, "803d5f7f4d78ea53de84dbe85f74fb6d"),
    },
    "mnist": {
        "train-images-idx3-ubyte": Digest(47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
        "train-labels-idx1-ubyte": Digest(60_008, "a25bea736e30d166cdddb491f175f624"),
        "t10k-images-idx3-ubyte": Digest(7_840_016, "2646ac647ad5339dbf082846283269ea"),
        "t10k-labels-idx1-ubyte": Digest(10_008, "27ae3e4e09519cfbb04c329615203637"),
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": Digest(47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        "train-labels-idx1-ubyte": Digest(60_008, "9018921c3c673c538a1fc5bad174d6f9"),
        "t10k-images-idx3-ubyte": Digest(7_840_016, "8181f5470baa50b63fa0f6fddb340f0a"),
        "t10k-labels-idx1-ubyte": Digest(10_008, "15d484375f8d13e6eb1aabb0c3f46965"),
    },
}
"""Digest of each official part by the name of its set and its file."""
