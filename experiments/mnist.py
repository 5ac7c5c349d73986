"""The chapter's exercise on MNIST: digits 0 to 4, then digits 5 to 9 with few images, by transfer.

The networks have five hidden layers of 100 ELU units and He initialisation. Adam trains them with early stopping. The
first 20% of the training images are for validation, where source 003, whose exercise it is, takes the last. It prints
no figures.

    python -m experiments.mnist --config digits_0_4
    python -m experiments.mnist --config transfer_5_9 --transfer.unfreeze 2 --transfer.unfreeze-epoch None
    python -m experiments.mnist --list
"""

from collections.abc import Mapping
from typing import Final

from jaxdeep.cli.recipe import Recipe
from jaxdeep.config import Config, Data, Model, Optim, Train

DIGITS_0_4: Final = Config(
    data=Data(scaling="unit", valid_size=0.2, classes=(0, 1, 2, 3, 4)),
    model=Model(units=(100,) * 5, activation="elu", kernel_init="he_normal"),
    optim=Optim(optimizer="adam", learning_rate=1e-3),
    train=Train(batch_size=32, epochs=100, patience=10),
)
DIGITS_0_4_BN: Final = DIGITS_0_4.updated({"model.batch_norm": True, "model.batch_norm_place": "input"})
DIGITS_0_4_DROPOUT: Final = DIGITS_0_4.updated({"model.dropout_sites": "after_hidden", "model.dropout_rate": 0.2})
DIGITS_0_4_PLACES: Final = DIGITS_0_4.updated(
    {"model.batch_norm": (True,) * 5, "model.batch_norm_place": "input", "model.dropout_rate": (0.0, *(0.2,) * 5)}
)
DIGITS_0_4_BEST: Final = DIGITS_0_4_PLACES.updated(
    {
        "model.batch_norm": (False, True, True, True, False),
        "model.dropout_rate": (0.0, 0.0, 0.0, 0.2, 0.0, 0.0),
        "optim.learning_rate": 0.000894,
        "train.epochs": 50,
        "train.monitor": "val_accuracy",
    }
)
SCRATCH_5_9: Final = DIGITS_0_4.updated(
    {"data.classes": (5, 6, 7, 8, 9), "data.per_class": 100, "data.valid_per_class": 30}
)
TRANSFER_5_9: Final = SCRATCH_5_9.updated({"transfer.layers": 5})

CONFIGS: Final[Mapping[str, Recipe]] = {
    "digits_0_4": Recipe(DIGITS_0_4, "digits 0 to 4: five layers of 100 ELU units, He; Adam 1e-3, early stopping"),
    "digits_0_4_bn": Recipe(DIGITS_0_4_BN, "the same with batch normalisation before each of the five layers"),
    "digits_0_4_dropout": Recipe(DIGITS_0_4_DROPOUT, "the same with dropout of .2 after each of the five layers"),
    "digits_0_4_places": Recipe(
        DIGITS_0_4_PLACES, "the same with both, layer by layer: the network whose places experiments.digits searches"
    ),
    "digits_0_4_best": Recipe(
        DIGITS_0_4_BEST,
        "the best of that search: batch normalisation before layers 2 to 4, dropout of .2 after layer 3",
    ),
    "scratch_5_9": Recipe(SCRATCH_5_9, "digits 5 to 9 with 100 images of each: the same network with new weights"),
    "transfer_5_9": Recipe(
        TRANSFER_5_9,
        "digits 5 to 9 with 100 images of each: digits_0_4's five layers, frozen, and a new softmax",
        source="digits_0_4",
    ),
}


if __name__ == "__main__":
    from jaxdeep.cli.main import main

    raise SystemExit(main("mnist", "mnist", CONFIGS))
