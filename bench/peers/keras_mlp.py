"""The network of a configuration in Keras 3."""

from typing import Any

import keras

from jaxdeep.config import Model


def network(model: Model, inputs: int, classes: int) -> keras.Sequential:
    """The layers in order, with Keras's own initialisers and a logits head.

    Args:
        model: architecture.
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
