"""The network and the optimizer of a configuration in Keras 3. Imports nothing of jaxdeep, which would import JAX."""

from typing import Any

import keras


def network(model: Any, inputs: int, classes: int) -> keras.Sequential:
    """The layers in order, with Keras's own initialisers and a logits head.

    Args:
        model: architecture, a `jaxdeep.config.Model` or something with its fields.
        inputs: D, features of a row.
        classes: C.
    """
    drop = {"dropout": keras.layers.Dropout, "alpha_dropout": keras.layers.AlphaDropout}[model.dropout]
    layers: list[Any] = [keras.Input((inputs,))]
    if model.batch_norm_input:
        layers.append(keras.layers.BatchNormalization())
    for units in model.units:
        if model.dropout_sites == "every":
            layers.append(drop(model.dropout_rate))
        layers.append(keras.layers.Dense(units, kernel_initializer=model.kernel_init))
        if model.batch_norm:
            layers.append(keras.layers.BatchNormalization())
        layers.append(keras.layers.Activation(model.activation))
    if model.dropout_sites != "none":
        layers.append(drop(model.dropout_rate))
    layers.append(keras.layers.Dense(classes, name="head"))
    return keras.Sequential(layers)


def compiled(model: keras.Sequential, optim: Any, steps_per_execution: int = 1) -> None:
    """Compile a network, with what Keras chooses by itself left to it.

    Args:
        model: with a logits head.
        optim: a `jaxdeep.config.Optim` whose optimizer is nadam, or something with its fields.
        steps_per_execution: of `compile`.
    """
    model.compile(
        optimizer=keras.optimizers.Nadam(optim.learning_rate, optim.beta_1, optim.beta_2, optim.epsilon),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
