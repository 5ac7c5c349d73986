"""Files that a finished study left in its folder. They are used only if they are as they were written.

summary.json holds under `files` a digest of itself and of each file beside it. Summaries of the first versions have
none. Their files are checked by rows, shapes and checksums.
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
"""Names of the files and of the folder of events."""
KINDS_OF_PICTURES = ("png", "svg")
STUDY_PICTURES = tuple(
    f"{name}.{kind}" for name in ("curves", "rates", "confusion", "diagnostics") for kind in KINDS_OF_PICTURES
)
UNCERTAINTY_PICTURES = tuple(
    f"{name}.{kind}"
    for name in ("reliability", "risk_coverage", "samples", "certainty", "first_image")
    for kind in KINDS_OF_PICTURES
)
EARLIER_PICTURES = ("rejection.png",)
"""Names of pictures that version 0.1 drew. This version draws risk_coverage.png in their place."""
DIGESTED = (METRICS, CORRECT, *STUDY_PICTURES, EVENTS, *UNCERTAINTY_PICTURES)
"""Names of the files whose digests summary.json holds."""
LOST, ALTERED = "is gone", "is not what was written"
"""Faults of a file that is missing, and of a file that has changed."""


class Stored(NamedTuple):
    """The stored files of a finished study.

    Attributes:
        result: Result with its histories and correctly classified rows. None if the summary cannot be used.
        faults: Fault of each missing or changed file by its name.
    """

    result: StudyResult | None
    faults: dict[str, str]

    @property
    def needs_networks(self) -> bool:
        """Return whether only the checkpoints can restore a lost file."""
        return self.result is None or bool(self.faults.keys() & {SUMMARY, METRICS, CORRECT})

    @property
    def needs_drawing(self) -> bool:
        """Return whether pictures or events are lost that the histories can restore."""
        return bool(self.faults.keys() & {*STUDY_PICTURES, EVENTS})

    @property
    def needs_asking(self) -> bool:
        """Return whether a picture of predictive uncertainty is lost."""
        return bool(self.faults.keys() & {*UNCERTAINTY_PICTURES})

    def __str__(self) -> str:
        return ", ".join(f"{name} {fault}" for name, fault in self.faults.items())


def read_study(summary: Path, metrics: Path | None = None, correct: Path | None = None) -> StudyResult:
    """Read a finished study from its files.

    Args:
        summary: Path of its summary.json.
        metrics: Path of its metrics.jsonl, or None to leave out the histories.
        correct: Path of its hits.npz, or None to leave out the correctly classified rows.

    Returns:
        Result of the study.

    Raises:
        UserError: A file cannot be read, or the files belong to different studies.
    """
    try:
        result = StudyResult.from_json(read_json(summary))
    except UserError as error:
        raise UserError(f"{summary}: {error}" if str(summary) not in str(error) else str(error)) from error
    if metrics is not None:
        result = replace(result, histories=_histories(metrics, result))
    return result if correct is None else replace(result, correct=_correct(correct, len(result.trials)))


def read_stored(folder: Path, *, is_growing: bool = False) -> Stored | None:
    """Read and check the files of a finished study.

    Args:
        folder: Folder of the study.
        is_growing: Whether metrics.jsonl may hold further trials of a larger study that was interrupted. Its rows are
            then checked against the summary in place of its digest.

    Returns:
        Result and faults of the files, or None without a summary.
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
    """Return the content of summary.json with the digests of itself and of the files beside it.

    Args:
        result: Result of the study.
        folder: Folder of the study.
    """
    files = {name: digest for name in DIGESTED if (digest := _digest_of(folder / name)) is not None}
    content = {**replace(result, files={}).to_json(), "files": files}
    return content | {"files": files | {SUMMARY: _digest_of_summary(content)}}


def _check_histories(histories: Sequence[Sequence[EpochRecord]], result: StudyResult) -> None:
    """Refuse histories whose epochs or losses differ from the summary."""
    for trial, history in zip(result.trials, histories, strict=True):
        has_all = [record.epoch for record in history] == list(range(1, trial.epochs + 1))
        if not has_all or (trial.best_epoch and history[trial.best_epoch - 1].val_loss != trial.val_loss):
            raise UserError("the epochs differ from the summary")


def correct_bytes(correct: Correct) -> bytes:
    """Return the content of hits.npz.

    Args:
        correct: Correctly classified rows of each trial.
    """
    content = io.BytesIO()
    np.savez_compressed(content, valid=correct.valid, test=correct.test)
    return content.getvalue()


def _histories(path: Path, result: StudyResult, *, others: bool = False) -> tuple[tuple[EpochRecord, ...], ...]:
    """Read the epochs of each trial in the order of the trials. Rows of other trials are refused.

    If `others` is true, they are skipped.
    """
    histories: dict[Any, list[EpochRecord]] = {trial_key(trial.labels): [] for trial in result.trials}
    names = result.trials[0].labels if result.trials else ()
    for row, record in read_metrics(path):
        key = trial_key({name: row.get(name) for name in names})
        if key in histories:
            histories[key].append(record)
        elif not others:
            raise UserError(f"{path}: has rows of other trials than the summary. Give files of one study.")
    return tuple(map(tuple, histories.values()))


def _correct(path: Path, trials: int) -> Correct:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            correct = Correct(arrays["valid"], arrays["test"])
    except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
        raise UserError(f"{path}: cannot be read ({error}). Train the study anew with --overwrite.") from error
    for rows in (correct.valid, correct.test):
        if rows.dtype.kind not in "bf" or rows.ndim != 2 or len(rows) != trials:
            raise UserError(f"{path}: has {len(rows)} trials, and the summary has {trials}. Give files of one study.")
    return correct


def _faults(folder: Path, result: StudyResult) -> dict[str, str]:
    """Return the fault of each file beside a summary. Files without a digest are checked by their readers."""
    written = result.files
    expected = [METRICS, CORRECT, "curves.png", *(["rates.png"] if result.range_test is not None else [])]
    drawn = UNCERTAINTY_PICTURES if result.uncertainty is not None else ()
    others = (name for name in STUDY_PICTURES if name not in expected)  # version 0.1 drew none of them
    expected += [name for name in (EVENTS, *others, *drawn) if name in written]
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
    """Return the digest of a file, or of all files in a folder with their names. Return None if nothing exists."""
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
