"""The official files: size in bytes and md5 of each, by its place in a data folder.

The md5s of the archives, of the python batches and of the packed idx files are the published ones; those of the binary
batches and of the unpacked idx files were computed from files that had the published ones.
"""

from typing import NamedTuple


class Digest(NamedTuple):
    """Of one file.

    Attributes:
        size: bytes.
        md5: 32 hexadecimal digits.
    """

    size: int
    md5: str


OFFICIAL = {
    "cifar-10-python.tar.gz": Digest(170_498_071, "c58f30108f718f92721af3b95e74349a"),
    "cifar-10-binary.tar.gz": Digest(170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),
    "cifar-10-batches-py/data_batch_1": Digest(31_035_704, "c99cafc152244af753f735de768cd75f"),
    "cifar-10-batches-py/data_batch_2": Digest(31_035_320, "d4bba439e000b95fd0a9bffe97cbabec"),
    "cifar-10-batches-py/data_batch_3": Digest(31_035_999, "54ebc095f3ab1f0389bbae665268c751"),
    "cifar-10-batches-py/data_batch_4": Digest(31_035_696, "634d18415352ddfa80567beed471001a"),
    "cifar-10-batches-py/data_batch_5": Digest(31_035_623, "482c414d41f54cd18b22e5b47cb7c3cb"),
    "cifar-10-batches-py/test_batch": Digest(31_035_526, "40351d587109b95175f43aff81a1287e"),
    "cifar-10-batches-bin/data_batch_1.bin": Digest(30_730_000, "5dd7e06a14cb22eb9f671a540d1b7c25"),
    "cifar-10-batches-bin/data_batch_2.bin": Digest(30_730_000, "5ea93a67294ea407fff1d09f752e9692"),
    "cifar-10-batches-bin/data_batch_3.bin": Digest(30_730_000, "942cd6a4bcdd0dd3c604fbe906cb4421"),
    "cifar-10-batches-bin/data_batch_4.bin": Digest(30_730_000, "ae636b3ba5c66a11e91e8cb52e771fcb"),
    "cifar-10-batches-bin/data_batch_5.bin": Digest(30_730_000, "53f37980c15c3d472c316c40844f3f0d"),
    "cifar-10-batches-bin/test_batch.bin": Digest(30_730_000, "803d5f7f4d78ea53de84dbe85f74fb6d"),
    "mnist/train-images-idx3-ubyte.gz": Digest(9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    "mnist/train-labels-idx1-ubyte.gz": Digest(28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
    "mnist/t10k-images-idx3-ubyte.gz": Digest(1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
    "mnist/t10k-labels-idx1-ubyte.gz": Digest(4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    "mnist/train-images-idx3-ubyte": Digest(47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
    "mnist/train-labels-idx1-ubyte": Digest(60_008, "a25bea736e30d166cdddb491f175f624"),
    "mnist/t10k-images-idx3-ubyte": Digest(7_840_016, "2646ac647ad5339dbf082846283269ea"),
    "mnist/t10k-labels-idx1-ubyte": Digest(10_008, "27ae3e4e09519cfbb04c329615203637"),
    "fashion_mnist/train-images-idx3-ubyte.gz": Digest(26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    "fashion_mnist/train-labels-idx1-ubyte.gz": Digest(29_515, "25c81989df183df01b3e8a0aad5dffbe"),
    "fashion_mnist/t10k-images-idx3-ubyte.gz": Digest(4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
    "fashion_mnist/t10k-labels-idx1-ubyte.gz": Digest(5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    "fashion_mnist/train-images-idx3-ubyte": Digest(47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    "fashion_mnist/train-labels-idx1-ubyte": Digest(60_008, "9018921c3c673c538a1fc5bad174d6f9"),
    "fashion_mnist/t10k-images-idx3-ubyte": Digest(7_840_016, "8181f5470baa50b63fa0f6fddb340f0a"),
    "fashion_mnist/t10k-labels-idx1-ubyte": Digest(10_008, "15d484375f8d13e6eb1aabb0c3f46965"),
}
