"""Metrics of rows beside loss and accuracy, on the host in NumPy, as scikit-learn computes them.

`metrics_of` chooses them by what the targets are.
"""

from typing import Final

import numpy as np

from jaxdeep.config.choices import Task

METRICS_OF: Final[dict[Task, tuple[str, ...]]] = {
    "classification": ("log_loss", "balanced_accuracy", "auroc", "average_precision"),
    "multilabel": ("log_loss", "auroc", "average_precision"),
    "regression": ("mae", "rmse"),
}
"""Names of the metrics by what the targets are."""
METRICS: Final = (*METRICS_OF["classification"], *METRICS_OF["regression"])
"""Names of all metrics."""


def metrics_of(task: Task, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Return the metrics of rows.

    - `log_loss`: mean cross-entropy in nats, without penalties, weights and smoothing. For several labels it is the
      mean of the labels' cross-entropies.
    - `balanced_accuracy`: mean over classes of the share of a class's rows that are classified correctly.
    - `auroc`: area under the ROC curve, of the second one of two classes, or the mean over classes or labels, each
      against all others. Classes without rows, or without other rows, do not count. NaN if none counts.
    - `average_precision`: area under the curve of precision against recall as a sum of steps, a mean like `auroc`.
    - `mae`, `rmse`: mean absolute error, and root of the mean squared error of numbers, in their own units. Each is the
      mean over several numbers.

    Args:
        task: What the targets are.
        outputs: Logits [N, C]. Or predicted numbers [N, C] in their own units.
        targets: Classes [N] in 0 .. C - 1, a 0 or a 1 for each label [N, C], or numbers [N, C] in their own units.

    Returns:
        Metrics by name.
    """
    values = np.asarray(outputs, np.float64)
    if task == "regression":
        errors = values - targets
        absolute, square = (of.mean(0) for of in (np.abs(errors), np.square(errors)))
        return {"mae": float(absolute.mean()), "rmse": float(np.sqrt(square).mean())}
    if task == "multilabel":
        losses = np.logaddexp(0, values) - values * targets
        return {"log_loss": float(losses.mean()), **_ranked(values, targets > 0)}
    largest = values.max(1, keepdims=True)
    log_probabilities = values - largest - np.log(np.exp(values - largest).sum(1, keepdims=True))
    losses = -log_probabilities[np.arange(len(targets)), targets]
    classes = values.shape[1]
    is_class = targets[:, None] == np.arange(classes)
    is_correct = values.argmax(1) == targets
    shares = [float(is_correct[of].mean()) for of in is_class.T if of.any()]
    kept = slice(1, None) if classes == 2 else slice(None)
    return {
        "log_loss": float(losses.mean()),
        "balanced_accuracy": float(np.mean(shares)),
        **_ranked(log_probabilities[:, kept], is_class[:, kept]),
    }


def _ranked(scores: np.ndarray, is_own: np.ndarray) -> dict[str, float]:
    """Return the mean AUROC and average precision of columns of scores [N, K]."""
    curves = [
        _of_column(of, own) for of, own in zip(scores.T, is_own.T, strict=True) if 0 < np.count_nonzero(own) < len(own)
    ]
    areas, precisions = zip(*curves, strict=True) if curves else ([np.nan], [np.nan])
    return {"auroc": float(np.mean(areas)), "average_precision": float(np.mean(precisions))}


def _of_column(scores: np.ndarray, is_own: np.ndarray) -> tuple[float, float]:
    """Return AUROC and average precision of scores [N]. Rows of equal scores are one step of both curves."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    own = np.cumsum(is_own[order])[ends].astype(np.float64)
    others = ends + 1 - own
    more_own, more_others = np.diff(own, prepend=0), np.diff(others, prepend=0)
    area = np.sum(more_others * (own - more_own / 2)) / (own[-1] * others[-1])
    return float(area), float(np.sum(more_own / own[-1] * own / (own + others)))
