"""A run with other weights, whose figures are evaluated anew."""

from dataclasses import replace

import jax
import numpy as np

from jaxdeep.config import Config
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.train.checks import check_fits
from jaxdeep.train.programs import compiled, spec_of, traced
from jaxdeep.train.run import Run


def with_weights(run: Run, params: Params, batch_stats: BatchStats, config: Config | None = None) -> Run:
    """Return a run with other weights.

    The new weights decide its losses, accuracies and correct rows. Its history stays, since it tells how the run was
    trained.

    Args:
        run: Finished run, which stays as it is.
        params: New weights.
        batch_stats: New moving statistics of batch normalisation.
        config: Configuration that the weights belong to. None keeps the run's.

    Raises:
        UserError: The configuration does not fit the run's data.
    """
    config = run.config if config is None else config
    check_fits(config, run.data)
    evaluate = compiled(("evaluate",), spec_of(config, [run.data]), None).calls["evaluate"]
    found = jax.device_get(evaluate(params, batch_stats, traced(config), run.data))
    valid, test = found.valid, found.test
    return replace(
        run,
        config=config,
        params=params,
        batch_stats=batch_stats,
        val_loss=float(valid.loss),
        val_accuracy=float(valid.accuracy),
        test_loss=float(test.loss),
        test_accuracy=float(test.accuracy),
        train_loss=float(found.train_loss),
        train_accuracy=float(found.train_accuracy),
        confusion=None if found.confusion is None else np.asarray(found.confusion),
        val_correct=np.asarray(valid.correct)[: run.data.valid.size],
        test_correct=np.asarray(test.correct)[: run.data.test.size],
    )
