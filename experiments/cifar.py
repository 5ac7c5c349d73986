"""Exercise 8 of the chapter. The networks have 20 hidden layers of 100 units and learn CIFAR-10.

A configuration trains on 45,000 images and validates on 5,000 unless its recipe says otherwise. Batches have 32 images.
Training takes at most 100 epochs. It stops early after 20 epochs without a better val_loss and keeps the best epoch's
weights. The optimizer is Keras's Nadam. The sources found the learning rates by hand. The rate of `onecycle` is ours
and comes from --find-lr.

    python -m experiments.cifar --config selu
    python -m experiments.cifar --list
"""

from collections.abc import Mapping
from typing import Final

from jaxdeep.cli.recipe import Recipe, Reported, ReportedMC
from jaxdeep.config import Config, Data, Model, Optim, Train

ELU: Final = Config(
    data=Data(scaling="none", valid_size=5_000),
    model=Model(units=(100,) * 20, activation="elu", kernel_init="he_normal"),
    optim=Optim(optimizer="nadam", learning_rate=5e-5),
    train=Train(batch_size=32, epochs=100, patience=20),
)
SWISH: Final = ELU.updated({"model.activation": "swish"})
BN: Final = ELU.updated({"model.batch_norm": True, "model.batch_norm_input": True, "optim.learning_rate": 5e-4})
BN_SWISH: Final = BN.updated({"model.activation": "swish", "model.batch_norm_input": False})
SELU: Final = ELU.updated(
    {
        "data.scaling": "standardize",
        "model.activation": "selu",
        "model.kernel_init": "lecun_normal",
        "optim.learning_rate": 7e-4,
    }
)
ALPHA_DROPOUT: Final = SELU.updated(
    {
        "model.dropout": "alpha_dropout",
        "model.dropout_sites": "head",
        "model.dropout_rate": 0.1,
        "optim.learning_rate": 5e-4,
    }
)
ONECYCLE: Final = ALPHA_DROPOUT.updated(
    {
        "optim.optimizer": "sgd",
        "optim.learning_rate": 0.042,
        "train.batch_size": 128,
        "train.epochs": 15,
        "train.keep": "last",
        "schedule.kind": "onecycle",
    }
)
AS_002: Final = ELU.updated({"data.scaling": "unit", "optim.learning_rate": 1e-3, "train.patience": 10})
AS_002_ELU: Final = AS_002.updated({"data.validate_on_test": True})
AS_002_SELU: Final = AS_002_ELU.updated({"model.activation": "selu", "model.kernel_init": "lecun_normal"})
AS_002_BN: Final = AS_002.updated({"model.batch_norm": True, "model.use_bias": False})
AS_002_ALPHA_DROPOUT: Final = AS_002.updated(
    {"model.dropout": "alpha_dropout", "model.dropout_sites": "after_hidden", "model.dropout_rate": 0.5}
)
SANITY: Final = SELU.updated(
    {"data.train_size": 5_000, "model.units": (100,) * 3, "train.epochs": 5, "train.patience": 5}
)

CONFIGS: Final[Mapping[str, Recipe]] = {
    "elu": Recipe(ELU, "8b: ELU, He initialisation, raw inputs", (Reported("000", 27, 1.4960, 0.4762),)),
    "swish": Recipe(SWISH, "8b with Swish", (Reported("004", 32, 1.4817, 0.4840),)),
    "bn": Recipe(
        BN,
        "8c: batch normalisation of the input and after every hidden layer, ELU",
        (Reported("000", 29, 1.3344, 0.5398),),
    ),
    "bn_swish": Recipe(
        BN_SWISH, "8c with Swish and no normalisation of the input", (Reported("004", 11, 1.4449, 0.4844),)
    ),
    "selu": Recipe(
        SELU,
        "8d: SELU, LeCun initialisation, standardised inputs",
        (Reported("000", 8, 1.4633, 0.4792), Reported("004", 13, 1.4701, 0.5060)),
    ),
    "alpha_dropout": Recipe(
        ALPHA_DROPOUT,
        "8e: selu with alpha dropout of 0.1 before the output layer",
        (Reported("000", 8, 1.4805, 0.4890),),
        (ReportedMC("000", 10, "val_accuracy", 0.4890, 0.4892),),
    ),
    "onecycle": Recipe(
        ONECYCLE, "8f: 8e's network by SGD with 1cycle, batches of 128, 15 epochs; never ran in the chapter"
    ),
    "as_002_elu": Recipe(
        AS_002_ELU,
        "an exhibit of what goes wrong: 002's ELU, inputs / 255, Nadam 1e-3, trained on 50,000 images and validated on "
        "the test set; it reports nothing",
        expected=("test-rows-for-validation",),
    ),
    "as_002_selu": Recipe(
        AS_002_SELU,
        "an exhibit of what goes wrong: 002's SELU without standardised inputs, validated on the test set",
        expected=("selu-inputs-not-standardised", "test-rows-for-validation"),
    ),
    "as_002_bn": Recipe(
        AS_002_BN, "an exhibit: 002's batch normalisation, without biases, inputs / 255, Nadam 1e-3; it reports nothing"
    ),
    "as_002_alpha_dropout": Recipe(
        AS_002_ALPHA_DROPOUT,
        "an exhibit of what goes wrong: 002's alpha dropout of .5 after every ELU layer with He weights",
        expected=("alpha-dropout-without-selu",),
    ),
    "sanity": Recipe(SANITY, "small and quick: 3 SELU layers, 5,000 training images, 5 epochs"),
}


if __name__ == "__main__":
    from jaxdeep.cli.main import main

    raise SystemExit(main("cifar", "cifar10", CONFIGS))
