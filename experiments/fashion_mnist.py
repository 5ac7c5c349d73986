"""The chapter's experiments on Fashion-MNIST. Small dense networks differ in one thing at a time.

All configurations train on 55,000 images and validate on 5,000. Batches have 32 images unless the recipe says
otherwise. The number of epochs is fixed. The last epoch's weights are kept and tested because the chapter reports them.
Its figures come from source 001 and are of one run each. They stand in the recipes. A run prints them below its own.

    python -m experiments.fashion_mnist --config onecycle
    python -m experiments.fashion_mnist --list
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from jaxdeep.cli.recipe import Recipe, Reported, ReportedMC
from jaxdeep.config import Config, Data, Model, Optim, Regularize, Schedule, Train

LEAKY_RELU: Final = Config(
    data=Data(scaling="unit", valid_size=5_000),
    model=Model(units=(300, 100), activation="leaky_relu", alpha=0.3, kernel_init="he_normal"),
    optim=Optim(optimizer="sgd", learning_rate=1e-3),
    train=Train(batch_size=32, epochs=10, keep="last"),
)
SELU100: Final = LEAKY_RELU.updated(
    {
        "data.scaling": "standardize",
        "model.units": (300, *(100,) * 99),
        "model.activation": "selu",
        "model.alpha": None,
        "model.kernel_init": "lecun_normal",
        "train.epochs": 5,
    }
)
RELU100: Final = SELU100.updated({"model.activation": "relu", "model.kernel_init": "he_normal"})
BN: Final = LEAKY_RELU.updated(
    {
        "model.activation": "relu",
        "model.alpha": None,
        "model.kernel_init": "glorot_uniform",
        "model.batch_norm": True,
        "model.batch_norm_place": "after",
        "model.batch_norm_input": True,
    }
)
POWER: Final = SELU100.updated(
    {
        "model.units": (300, 100),
        "optim.learning_rate": 0.01,
        "train.epochs": 25,
        "schedule.kind": "power",
        "schedule.decay_steps": 10_000,
    }
)
EXPONENTIAL: Final = POWER.updated(
    {
        "optim.optimizer": "nadam",
        "schedule.kind": "exponential",
        "schedule.decay_steps": None,
        "schedule.factor": 0.1,
        "schedule.decay_epochs": 20,
    }
)
PIECEWISE: Final = replace(
    EXPONENTIAL, schedule=Schedule(kind="piecewise", boundaries_epochs=(5, 15), factors=(1.0, 0.5, 0.1))
)
PLATEAU: Final = replace(
    POWER,
    optim=Optim(optimizer="momentum", learning_rate=0.02),
    schedule=Schedule(kind="plateau", factor=0.5, patience_epochs=5),
)
ONECYCLE: Final = replace(
    POWER.updated({"optim.learning_rate": 0.05, "train.batch_size": 128}), schedule=Schedule(kind="onecycle")
)
L2: Final = SELU100.updated(
    {
        "model.units": (300, 100),
        "model.activation": "elu",
        "model.kernel_init": "he_normal",
        "optim.optimizer": "nadam",
        "optim.learning_rate": 1e-3,
        "train.epochs": 2,
        "regularize.l2": 0.01,
        "regularize.penalized": "every",
    }
)
DROPOUT: Final = replace(
    L2.updated(
        {
            "model.dropout": "dropout",
            "model.dropout_sites": "every",
            "model.dropout_rate": 0.2,
            "train.epochs": 20,
        }
    ),
    regularize=Regularize(),
)
MAX_NORM: Final = replace(L2, model=POWER.model, regularize=Regularize(max_norm=1.0, constrained="hidden"))
TRANSFER_A: Final = LEAKY_RELU.updated(
    {
        "data.classes": (0, 1, 2, 3, 4, 7, 8, 9),
        "model.units": (300, 100, 50, 50, 50),
        "model.activation": "selu",
        "model.alpha": None,
        "model.kernel_init": "glorot_uniform",
        "train.epochs": 20,
    }
)
SCRATCH_B: Final = TRANSFER_A.updated({"data.classes": (5, 6), "data.train_size": 200, "model.head": "sigmoid"})
TRANSFER: Final = SCRATCH_B.updated({"transfer.layers": 5, "transfer.unfreeze": 5, "transfer.unfreeze_epoch": 4})


SELU_UNSCALED: Final = ("selu-without-lecun", "selu-inputs-not-standardised")
"""Findings that the lecture notebook's networks of transfer show."""


def _001(epochs: int, val_loss: float, val_accuracy: float, *test: float) -> tuple[Reported]:
    """Return the lecture notebook's figures of the last epoch, and of the test set if it prints them."""
    return (Reported("001", epochs, val_loss, val_accuracy, *test),)


CONFIGS: Final[Mapping[str, Recipe]] = {
    "leaky_relu": Recipe(LEAKY_RELU, "300-100 leaky ReLU (slope .3), He; SGD 1e-3", _001(10, 0.4817, 0.8396)),
    "selu100": Recipe(SELU100, "300 + 99 x 100 SELU, LeCun, standardised; SGD 1e-3", _001(5, 0.4907, 0.8218)),
    "relu100": Recipe(RELU100, "the same with ReLU and He", _001(5, 0.6638, 0.7380)),
    "bn": Recipe(BN, "BN, 300 ReLU, BN, 100 ReLU, BN, 10; SGD 1e-3", _001(10, 0.3573, 0.8750)),
    "power": Recipe(POWER, "300-100 SELU; SGD .01 / (1 + step / 10,000)", _001(25, 0.3228, 0.8864)),
    "exponential": Recipe(EXPONENTIAL, "the same network; Nadam .01 x .1^(epoch / 20)", _001(25, 0.6068, 0.8832)),
    "piecewise": Recipe(
        PIECEWISE, "the same network; Nadam .01, from epoch 5 .005, from epoch 15 .001", _001(25, 0.5318, 0.8834)
    ),
    "plateau": Recipe(
        PLATEAU,
        "the same network; SGD .02 with momentum .9, halved after 5 epochs without a better val_loss",
        _001(25, 0.5241, 0.8936),
    ),
    "onecycle": Recipe(ONECYCLE, "the same network; SGD, 1cycle up to .05, batches of 128", _001(25, 0.3170, 0.8934)),
    "l2": Recipe(L2, "300-100 ELU, He, l2 .01 on all kernels; Nadam 1e-3", _001(2, 0.6850, 0.8376)),
    "dropout": Recipe(
        DROPOUT,
        "300-100 ELU, He, dropout .2 before every dense layer; Nadam 1e-3",
        _001(20, 0.2996, 0.8934, 0.3278, 0.8830),
        (ReportedMC("001", 100, "accuracy", 0.8830, 0.8844),),
    ),
    "max_norm": Recipe(
        MAX_NORM,
        "300-100 SELU, LeCun, max-norm 1 on the hidden kernels; Nadam 1e-3",
        _001(2, 0.3714, 0.8662),
        expected=("selu-with-max-norm",),
    ),
    "transfer_a": Recipe(
        TRANSFER_A,
        "eight classes, without sandals and shirts: 300-100-50-50-50 SELU, Glorot, inputs / 255; SGD 1e-3",
        _001(20, 0.2333, 0.9200),
        expected=SELU_UNSCALED,
    ),
    "scratch_b": Recipe(
        SCRATCH_B,
        "sandal or shirt, 200 images: the same network with new weights and one sigmoid unit",
        _001(20, 0.1431, 0.9716, 0.1408, 0.9705),
        expected=SELU_UNSCALED,
    ),
    "transfer": Recipe(
        TRANSFER,
        "the same 200 images on transfer_a's hidden layers: 4 epochs with them frozen, 16 with all trained",
        _001(20, 0.0738, 0.9899, 0.0682, 0.9935),
        expected=SELU_UNSCALED,
        source="transfer_a",
    ),
}


if __name__ == "__main__":
    from jaxdeep.cli.main import main

    raise SystemExit(main("fashion_mnist", "fashion_mnist", CONFIGS))
