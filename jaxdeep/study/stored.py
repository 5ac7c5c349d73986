"""What a finished study left in its folder: believed only where it is what was written.

`summary.json` holds under `files` a digest of itself and of each file beside it. A summary of the first versions has
none: its files are checked by their rows, shapes and checksums.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from jaxdeep.errors import UserError
from jaxdeep.study.files import read_json, read_metrics
from jaxdeep.study.result import StudyResult
from jaxdeep.study.summarise import trial_key
from jaxdeep.study.trial_result import Correct
from jaxdeep.train.history import EpochRecord

SUMMARY, METRICS, CORRECT, EVENTS = "summary.json", "metrics.jsonl", "hits.npz", "tensorboard"
UNCERTAINTY_PICTURES = ("reliability.png", "rejection.png", "samples.png", "certainty.png", "first_image.png")
DIGESTED = (METRICS, CORRECT, "curves.png", "rates.png", EVENTS, *UNCERTAINTY_PICTURES)
LOST, ALTERED = "is gone", "is not what was written"


class Stored(NamedTuple):
    """What is left of a finished study.

    Attributes:
        result: the result, with its histories and rows that are classified correctly. None where it cannot be believed.
        faults: what is wrong with each file that is not whole, by its name.
    """

    result: StudyResult | None
    faults: dict[str, str]

    @property
    def needs_networks(self) -> bool:
        """Whether only the checkpoints can give back what is lost."""
        return self.result is None or bool(self.faults.keys() & {SUMMARY, METRICS, CORRECT})

    @property
    def needs_drawing(self) -> bool:
        """Whether pictures or events are lost, which the figures by epoch give back."""
        return bool(self.faults.keys() & {"curves.png", "rates.png", EVENTS})

    @property
    def needs_asking(self) -> bool:
        """Whether a picture of what `--mc-samples` and `--ensemble` found is lost."""
        return bool(self.faults.keys() & {*UNCERTAINTY_PICTURES})

    def __str__(self) -> str:
        return ", ".join(f"{name} {fault}" for name, fault in self.faults.items())


def read_study(summary: Path, metrics: Path | None = None, correct: Path | None = None) -> StudyResult:
    """Read a finished study from its files.

    Args:
        summary: path of its summary.json.
        metrics: path of its metrics.jsonl, or None to leave the histories out.
        correct: path of its hits.npz, or None to leave the correctly classified rows out.

    Raises:
        UserError: one of them cannot be read, or they are not of one study.
    """
    try:
        result = StudyResult.from_json(read_json(summary))
    except UserError as error:
        raise UserError(f"{summary}: {error}" if str(summary) not in str(error) else str(error)) from error
    if metrics is not None:
        result = replace(result, histories=_histories(metrics, result))
    return result if correct is None else replace(result, correct=_correct(correct, len(result.trials)))


def read_stored(folder: Path, *, is_growing: bool = False) -> Stored | None:
    """Read what a finished study left, and check it.

    Args:
        folder: folder of the study.
        is_growing: whether metrics.jsonl may hold other trials beside those of the summary, of a larger study that was
            interrupted. Its rows are checked against the summary then, in place of its digest.

    Returns:
        The result and what is wrong with the files, or None where there is no summary.
    """
    if not (folder / SUMMARY).exists():
        return None
    try:
        content = read_json(folder / SUMMARY)
        written = content.get("files", {}).get(SUMMARY)
        if written is not None and written != _digest_of_summary(content):
            raise UserError(ALTERED)
        result = StudyResult.from_json(content)
    except (UserError, AttributeError, TypeError) as error:
        return Stored(None, {SUMMARY: f"cannot be believed ({_reason(error)})"})
    faults = _faults(folder, result)
    if is_growing and faults.get(METRICS) == ALTERED:
        del faults[METRICS]
    try:
        if METRICS not in faults:
            histories = _histories(folder / METRICS, result, others=is_growing)
            _check_histories(histories, result)
            result = replace(result, histories=histories)
    except UserError:
        faults[METRICS] = ALTERED
    try:
        if CORRECT not in faults:
            result = replace(result, correct=_correct(folder / CORRECT, len(result.trials)))
    except UserError:
        faults[CORRECT] = ALTERED
    return Stored(result, faults)


def sealed(result: StudyResult, folder: Path) -> dict[str, Any]:
    """Return the content of summary.json, with the digests of itself and of the files beside it as they are now.

    Args:
        result: result of the study.
        folder: folder of the study.
    """
    files = {name: digest for name in DIGESTED if (digest := _digest_of(folder / name)) is not None}
    content = {**replace(result, files={}).to_json(), "files": files}
    return content | {"files": files | {SUMMARY: _digest_of_summary(content)}}


def _check_histories(histories: Sequence[Sequence[EpochRecord]], result: StudyResult) -> None:
    """Refuse histories of other epochs, or of other weights, than those of the summary."""
    for trial, history in zip(result.trials, histories, strict=True):
        has_all = [record.epoch for record in history] == list(range(1, trial.epochs + 1))
        if not has_all or (trial.best_epoch and history[trial.best_epoch - 1].val_loss != trial.val_loss):
            raise UserError("the epochs are not those of the summary")


def correct_bytes(correct: Correct) -> bytes:
    """Return the content of hits.npz.

    Args:
        correct: which rows each trial classifies correctly.
    """
    content = io.BytesIO()
    np.savez_compressed(content, valid=correct.valid, test=correct.test)
    return content.getvalue()


def _histories(path: Path, result: StudyResult, *, others: bool = False) -> tuple[tuple[EpochRecord, ...], ...]:
    """Read the epochs of each trial, in the order of the trials. Rows of others are refused, or passed over."""
    found: dict[Any, list[EpochRecord]] = {trial_key(trial.labels): [] for trial in result.trials}
    names = result.trials[0].labels if result.trials else ()
    for row, record in read_metrics(path):
        key = trial_key({name: row.get(name) for name in names})
        if key in found:
            found[key].append(record)
        elif not others:
            raise UserError(f"{path}: has rows of other trials than the summary")
    return tuple(map(tuple, found.values()))


def _correct(path: Path, trials: int) -> Correct:
    try:
        with path.open("rb") as file, np.load(file) as found:
            correct = Correct(found["valid"], found["test"])
    except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
        raise UserError(f"{path}: cannot be read ({error}). Train the study anew with --overwrite") from error
    for rows in (correct.valid, correct.test):
        if rows.dtype != bool or rows.ndim != 2 or len(rows) != trials:
            raise UserError(f"{path}: is of {len(rows)} trials, and the summary of {trials}. Give files of one study")
    return correct


def _faults(folder: Path, result: StudyResult) -> dict[str, str]:
    """What is wrong with the files beside a summary. Files without a digest are looked at by their readers."""
    written = result.files
    expected = [METRICS, CORRECT, "curves.png", *(["rates.png"] if result.range_test is not None else [])]
    drawn = UNCERTAINTY_PICTURES if result.uncertainty is not None else ()
    expected += [name for name in (EVENTS, *drawn) if name in written]
    faults = {}
    for name in expected:
        if not (folder / name).exists():
            faults[name] = LOST
        elif name in written:
            if _digest_of(folder / name) != written[name]:
                faults[name] = ALTERED
        elif name.endswith(".png") and not _is_picture(folder / name):
            faults[name] = ALTERED
    return faults


def _is_picture(path: Path) -> bool:
    content = path.read_bytes()
    return content.startswith(b"\x89PNG") and content.endswith(b"IEND\xaeB`\x82")


def _digest_of(path: Path) -> str | None:
    """The digest of a file, or of all files in a folder with their names. None: nothing is there."""
    if not path.exists():
        return None
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(b"" if file == path else str(file.relative_to(path)).encode(errors="surrogateescape") + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _digest_of_summary(summary: Mapping[str, Any]) -> str:
    others = {name: digest for name, digest in summary["files"].items() if name != SUMMARY}
    content = json.loads(json.dumps({**summary, "files": others}))
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _reason(error: Exception) -> str:
    text = str(error).splitlines()
    return text[0] if text else type(error).__name__
