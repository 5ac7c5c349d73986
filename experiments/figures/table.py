"""The table of figures: every figure of the chapter that needs no training."""

from typing import Final

from experiments.figures import activations, bowl, chapter_curves, initialisation, samples
from experiments.figures.chapter_logs import CIFAR, NETWORKS, SCHEDULES, TRANSFER
from experiments.figures.figure import SECTIONS, Figure
from experiments.figures.range_tests import draw_range_tests
from experiments.figures.schedules import draw_schedules
from experiments.figures.self_normalisation import draw_self_normalisation

(INITIALISERS, ACTIVATIONS, _, TRANSFERS, OPTIMIZERS, RATES, REGULARISERS, EXERCISE, DATA, _) = SECTIONS
RANGE: Final = (
    "Dots and lines: every epoch that the source prints. Blue: the median of our {seeds} seeds, from the lowest to the "
    "highest seed, as far as all of them train. The range is cut where it leaves a panel. {inside} of the {total} "
    "printed figures lie within it: {share}. For one more seed of ours, {expected} are expected."
)
IMAGES: Final = "The first {shown} training images of each class, of {train} training and {test} test images."

FIGURES: Final[dict[str, Figure]] = {
    "sigmoid_saturation": Figure(
        "Where the sigmoid saturates",
        INITIALISERS,
        "The sigmoid differs from its tangent at 0 by at most {error} for inputs within {near} of 0. At {end} its "
        "derivative has fallen to {share} of its highest value, and little gradient passes.",
        activations.draw_sigmoid,
    ),
    "signals": Figure(
        "Values and gradients by layer, before training",
        INITIALISERS,
        "{layers} layers of {units} units on {rows} standard-normal rows, geometric mean and range of {seeds} seeds. "
        "Layers are square, so Glorot and LeCun coincide. With sigmoid and Glorot's weights the first layer's gradient "
        "is 1e{sigmoid} of the last layer's. With SELU and LeCun's weights it is {selu} times the last layer's.",
        initialisation.draw_signals,
    ),
    "dead_units": Figure(
        "Units that are dead before training",
        INITIALISERS,
        "A unit is dead if its output is 0 for all {rows} rows. Mean and range of {seeds} seeds. With He's weights "
        "{zeros} of the first ReLU layer's outputs are 0, and {dead} of the units of layer {layers} are dead. The "
        "scale of the weights does not matter to ReLU, so its lines coincide. Leaky ReLU is 0 at 0 alone, and has no "
        "dead unit.",
        initialisation.draw_dead_units,
    ),
    "activations": Figure(
        "Activations and their derivatives",
        ACTIVATIONS,
        "The {count} activations of the toolbox that act on each element. PReLU is a leaky ReLU that learns its slope. "
        "RReLU draws its slope from {low} to {high} (light) and predicts with the mean. Not drawn: {left_out}, which "
        "act over units.",
        activations.draw_activations,
    ),
    "rectifiers": Figure(
        "Leaky ReLU, ELU and SELU",
        ACTIVATIONS,
        "As the chapter draws them. The leak of {leak} is larger than the default, so that it can be seen. SELU has "
        "alpha {alpha} and scale {scale}. The dashed line is the value far below 0.",
        activations.draw_rectifiers,
    ),
    "self_normalisation": Figure(
        "SELU through 1,000 layers, and what breaks it",
        ACTIVATIONS,
        "Mean and standard deviation behind each of {layers} layers of 100 units. In the chapter's stack of 500 rows "
        "the standard deviation stays between {low} and {high}. The figure has the first {rows} rows. Glorot equals "
        "LeCun where layers have equal widths. Inputs of another scale are drawn back to the fixed point. Dropout of "
        "{rate} moves the standard deviation to {dropout}, and alpha dropout leaves it at {alpha}. A line ends where "
        "its values vanish or explode.",
        draw_self_normalisation,
    ),
    "chapter_curves_transfer": Figure(
        "The chapter's transfer runs over our seeds",
        TRANSFERS,
        f"{RANGE} The run transfer has four epochs with frozen layers, then sixteen with all layers trained.",
        chapter_curves.drawing_of("fashion_mnist", TRANSFER, 3),
    ),
    "optimizer_paths": Figure(
        "Optimizers on an elongated bowl",
        OPTIMIZERS,
        "The bowl is {ratio} times as steep across as along. A marker is a step, and a large one the last of {steps}, "
        "or of {free_steps} for momentum .99999. That one overshoots: it crosses the valley {crossings} times in "
        "{steps} steps and ends at a height of {free}. AdaGrad stops early, at a height of {AdaGrad}. At the same "
        "rate Adam gets to {Adam}. Rates are chosen by hand, so the order of the optimizers says nothing.",
        bowl.draw_optimizer_paths,
    ),
    "terminal_velocity": Figure(
        "Momentum on a constant slope",
        OPTIMIZERS,
        "Momentum b approaches 1 / (1 - b) times the step of gradient descent (dotted). Momentum {beta} is {speed} "
        "times as fast, and within 1% of that after {reached} steps.",
        bowl.draw_terminal_velocity,
    ),
    "schedules": Figure(
        "Learning rate of every step, Fashion-MNIST",
        RATES,
        "The chapter's schedules, and cosine decay beside them. Performance scheduling follows the validation loss of "
        "our record, seed {seed}: it halves the rate {cuts} times, behind epochs {epochs}.",
        draw_schedules,
    ),
    "range_tests": Figure(
        "Loss against learning rate",
        RATES,
        "The range tests of our records. The chapter logs the running mean, which has its lowest value at a rate "
        "{cifar} times (CIFAR-10) and {fashion_mnist} times (Fashion-MNIST) that of the smoothed batch loss.",
        draw_range_tests,
    ),
    "chapter_curves_schedules": Figure(
        "The chapter's schedules over our seeds, Fashion-MNIST",
        RATES,
        RANGE,
        chapter_curves.drawing_of("fashion_mnist", SCHEDULES, 3),
    ),
    "chapter_curves_networks": Figure(
        "The chapter's networks over our seeds, Fashion-MNIST",
        REGULARISERS,
        f"{RANGE} l2 and max_norm train for two epochs.",
        chapter_curves.drawing_of("fashion_mnist", NETWORKS, 4),
    ),
    "chapter_curves_cifar": Figure(
        "The chapter's curves over our seeds, CIFAR-10",
        EXERCISE,
        f"{RANGE} 000 leaves out some epochs of elu and bn. 004 ran selu twice, the second time as its part e.",
        chapter_curves.drawing_of("cifar", CIFAR, 3),
    ),
    "samples_cifar10": Figure("Images of CIFAR-10", DATA, IMAGES, samples.drawing_of("cifar10")),
    "samples_fashion_mnist": Figure("Images of Fashion-MNIST", DATA, IMAGES, samples.drawing_of("fashion_mnist")),
    "samples_mnist": Figure("Images of MNIST", DATA, IMAGES, samples.drawing_of("mnist")),
}
"""Every figure by its name, in the order of the chapter."""
