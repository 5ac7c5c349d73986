"""The uncertainty of a finished study's networks, by MC dropout and as an ensemble, and whether either helps."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaxdeep.analysis.evaluate import evaluate_predictors
from jaxdeep.analysis.mc_checks import check_mc_dropout
from jaxdeep.analysis.predictors import (
    TEST,
    VALID,
    McSamples,
    Predictor,
    at_temperature,
    ensemble_of,
    mc_samples_of,
    plain_predictor,
)
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.images import SPECS
from jaxdeep.data.new_rows import checked_rows
from jaxdeep.data.other_images import in_shape, noise
from jaxdeep.data.sources import load_images
from jaxdeep.errors import UserError
from jaxdeep.nn.layers import MaskBits
from jaxdeep.report.image_figures import certainty, first_image
from jaxdeep.report.uncertainty_figures import reliability_diagrams, risk_coverage_curves, sample_curves
from jaxdeep.study.names import printable
from jaxdeep.terminal import is_watched
from jaxdeep.train.fit import Run
from jaxdeep.train.forward import model_of

MASK_BITS: Final[MaskBits] = 16
"""Random bits for each element of a dropout mask."""
LOG: Final = logging.getLogger("jaxdeep")
NOISE: Final = "noise"
"""Name of the images of noise."""
SHOWN: Final = 100
"""Samples of the first test image, at most, in its picture and figures. The chapter shows the same number."""


@dataclass(frozen=True)
class UncertaintyRequest:
    """A request for uncertainty estimates of a study's networks.

    Attributes:
        mc_samples: Number of samples of MC dropout for each network, or None without MC dropout.
        ensemble: Whether the networks of all seeds are taken as one predictor.
    """

    mc_samples: int | None = None
    ensemble: bool = False

    def __bool__(self) -> bool:
        return self.mc_samples is not None or self.ensemble

    def words(self) -> list[str]:
        """Return the flags of the request."""
        samples = [] if self.mc_samples is None else ["--mc-samples", str(self.mc_samples)]
        return samples + (["--ensemble"] if self.ensemble else [])

    def check(self, config: Config, data: Dataset, seeds: int) -> None:
        """Refuse a request that could find nothing, before anything is trained.

        Args:
            config: Configuration of the networks.
            data: Rows of the study.
            seeds: Number of networks, one for each seed.

        Raises:
            UserError: The networks have no dropout for MC dropout, its number of samples is out of its range, or an
                ensemble has fewer than two networks. Or each network has validation rows of its own, or there are no
                test rows.
        """
        if self and config.data.resample:
            raise UserError(
                "data.resample gives each network its own validation rows, and --mc-samples and --ensemble fit the "
                "temperature on rows that all networks share. Set data.resample to False, or remove them."
            )
        if self and data.task != "classification":
            raise UserError(
                "--mc-samples and --ensemble measure the probabilities of classes, and the targets are others. Remove "
                "them. From Python, conformal gives intervals for numbers."
            )
        if self and not data.test.size:
            raise UserError("--mc-samples and --ensemble are measured on test rows, and there are none. Give some.")
        if self.mc_samples is not None:
            check_mc_dropout(model_of(config, data), config.model.dropout_rate, self.mc_samples)
        if self.ensemble and seeds < 2:
            raise UserError(f"--ensemble has {seeds} network. Give 2 or more seeds, such as --seeds 5.")

    def with_earlier(self, found: Mapping[str, Any] | None) -> "UncertaintyRequest":
        """Return this request joined with an earlier one. Its own number of samples replaces the earlier number.

        Args:
            found: Figures that `evaluate_uncertainty` returned earlier. None if it was not called.

        Returns:
            The joined request.
        """
        if found is None:
            return self
        samples = found["mc_samples"] if self.mc_samples is None else self.mc_samples
        return UncertaintyRequest(samples, self.ensemble or found["ensemble"])

    def is_complete(self, found: Mapping[str, Any] | None, data_dir: Path | None) -> bool:
        """Say whether earlier figures answer the request, and the images left out then are still missing.

        Args:
            found: Figures that `evaluate_uncertainty` returned earlier. None if it was not called.
            data_dir: Folder with the classic files of other image sets, or None.

        Returns:
            True if the estimates need not be made again.
        """
        if found is None or any(found[name] != value for name, value in asdict(self).items()):
            return False
        return all(isinstance(_test_images(name, data_dir), UserError) for name in found["left_out"])


def evaluate_uncertainty(
    request: UncertaintyRequest,
    title: str,
    dataset: str | None,
    data: Dataset,
    runs: Sequence[Run],
    folder: Path | None,
    data_dir: Path | None,
    *,
    verbose: bool | None = None,
) -> dict[str, Any]:
    """Evaluate the networks' predictors, draw the pictures and return the figures.

    Args:
        request: Uncertainty estimates to make.
        title: Title of the pictures.
        dataset: Name of the images, whatever their source, or None for rows that are no images.
        data: Rows on which the networks were trained. A subset is the networks' own.
        runs: Runs of all seeds, the diverged runs among them.
        folder: Folder of the pictures, or None to draw none.
        data_dir: Folder with the classic files of other image sets, or None.
        verbose: Whether MC dropout shows a progress bar on stderr. None: in a terminal or a notebook.

    Returns:
        The request and the figures of `evaluate_predictors`, as JSON values. `diverged` counts the runs, the diverged
        runs, and the runs without a best epoch.

    Raises:
        UserError: Too few networks did not diverge.
    """
    trained = [run for run in runs if run.best_epoch]
    if len(trained) < (2 if request.ensemble else 1):
        lost = ", ".join(str(run.seed) for run in runs if not run.best_epoch)
        raise UserError(
            f"{len(trained)} of {len(runs)} networks did not diverge: too few for --mc-samples or --ensemble. "
            f"Seeds {lost} diverged. Ask for more seeds, or lower optim.learning_rate."
        )
    others, left_out = _other_images(dataset, data, data_dir)
    images = {VALID: data.valid.own_images, TEST: data.test.own_images, **others}
    labels = {VALID: data.valid.own_labels, TEST: data.test.own_labels}
    single = plain_predictor(trained, images)
    predictors, mc_samples = [single], None
    if request.mc_samples is not None:
        from tqdm import tqdm  # few studies need it

        count = sum(map(len, images.values()))
        shown = f"{request.mc_samples:,} passes over {count:,} images"
        followed = tqdm(trained, f"{shown} a network", unit=" networks", disable=not is_watched(verbose))
        mc_samples = mc_samples_of(followed, images, request.mc_samples, MASK_BITS)
        predictors.append(mc_samples.predictor)
    if request.ensemble:
        predictors.append(ensemble_of(single))
    predictors += [at_temperature(predictor, labels[VALID]) for predictor in predictors]
    figures = {
        **asdict(request),
        "mask_bits": MASK_BITS if mc_samples else None,
        "seeds": [run.seed for run in trained],
        "diverged": {
            "runs": len(runs),
            "diverged": sum(run.diverged for run in runs),
            "left_out": len(runs) - len(trained),
        },
        "other_images": list(others),
        "left_out": left_out,
        **evaluate_predictors(predictors, labels, mc_samples),
        "first_image": _first_image(data, single, mc_samples),
    }
    if folder is not None:
        _draw(folder, title, data, figures, predictors, mc_samples)
    return figures


def _other_images(
    dataset: str | None, data: Dataset, data_dir: Path | None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the other sets' test images and noise by name, as stored rows, and why sets are left out.

    Rows that are no images have no other sets.
    """
    others, left_out = {}, {}
    if not _are_images(data):
        return others, left_out
    synthetic = data.identity()["synthetic"]
    for name in (name for name in SPECS if name != dataset and not synthetic):
        images = _test_images(name, data_dir)
        if isinstance(images, UserError):
            left_out[name] = str(images)
            LOG.info("%s is left out: %s", name, printable(images))
        else:
            others[name] = in_shape(images, data.image_shape)
    others[NOISE] = noise(data.test.size, data.image_shape)
    return {name: checked_rows(data, images, check=False) for name, images in others.items()}, left_out


def _are_images(data: Dataset) -> bool:
    """Say whether a row is an image, which can be drawn and compared with other sets' images."""
    return len(data.image_shape) > 1


def _test_images(name: str, data_dir: Path | None) -> np.ndarray | UserError:
    """Return a set's test images, or the error that says why they cannot be had."""
    try:
        return load_images(name, source=name, data_dir=data_dir).test_images
    except UserError as reason:
        return reason


def _first_image(data: Dataset, single: Predictor, mc_samples: McSamples | None) -> dict[str, Any]:
    """Return the probabilities that the first seed's network gives the first test image.

    MC dropout adds their mean and standard deviation over the samples.
    """
    label = int(data.test.own_labels[0])
    figures: dict[str, Any] = {"label": label, "plain": single.answers[TEST].probabilities[0, 0].tolist()}
    if mc_samples is not None:
        samples = mc_samples.first[0][:SHOWN]
        figures |= {"samples": len(samples), "mean": samples.mean(0).tolist(), "std": samples.std(0).tolist()}
    return figures


def _draw(
    folder: Path,
    title: str,
    data: Dataset,
    figures: Mapping[str, Any],
    predictors: Sequence[Predictor],
    mc_samples: McSamples | None,
) -> None:
    """Draw the pictures. Images show MC dropout of the first seed's network, or else the ensemble."""
    labels = data.test.own_labels
    names = data.info.class_names if data.info else tuple(map(str, range(data.classes)))
    images = data.test.own_images.reshape(-1, *data.image_shape)
    reliability_diagrams(folder / "reliability.png", predictors, labels, f"{title}, test images")
    risk_coverage_curves(folder / "risk_coverage.png", predictors, labels, f"{title}, test images")
    if not _are_images(data):
        return
    single, asked = predictors[0].answers[TEST].probabilities[:, 0], predictors[1]
    if mc_samples is not None:
        sample_curves(folder / "samples.png", figures, f"{title}, test images")
        by = f"{figures['mc_samples']:,} samples, seed {figures['seeds'][0]}"
        shown, without = mc_samples.first[0][:SHOWN], single[0]
    else:
        by = f"an ensemble of {len(single)}"
        shown, without = single, None
    probabilities = asked.answers[TEST].probabilities[0]
    certainty(folder / "certainty.png", images, probabilities, labels, names, f"{title}\nby {by}")
    first_image(folder / "first_image.png", images[0], without, shown, int(labels[0]), names, title)
