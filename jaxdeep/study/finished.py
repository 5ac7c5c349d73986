"""What a finished run left in its folder: believed only where it is what was written.

`summary.json` holds under `files` a digest of itself and of each file beside it. A summary of an earlier version has
none: its files are checked by their rows, shapes and checksums.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from jaxdeep.config import differences
from jaxdeep.config.extension import is_extension
from jaxdeep.errors import UserError
from jaxdeep.report.tables import summary_table
from jaxdeep.report.uncertainty_tables import uncertainty_table
from jaxdeep.study.files import read_json, read_rows
from jaxdeep.study.trial import Trial
from jaxdeep.train.history import EpochRecord

SUMMARY, METRICS, HITS, EVENTS = "summary.json", "metrics.jsonl", "hits.npz", "tensorboard"
UNCERTAINTY_PICTURES = ("reliability.png", "rejection.png", "samples.png", "certainty.png", "first_image.png")
DIGESTED = (METRICS, HITS, "curves.png", "rates.png", EVENTS, *UNCERTAINTY_PICTURES)
LOST, ALTERED = "is gone", "is not what was written"


class Finished(NamedTuple):
    """What is left of a finished run.

    Attributes:
        summary: The content of summary.json, or None where it cannot be believed.
        faults: For each file that is not whole, what is wrong with it.
    """

    summary: dict[str, Any] | None
    faults: dict[str, str]

    @property
    def needs_networks(self) -> bool:
        """Whether only the checkpoints can give back what is lost."""
        return bool(self.faults.keys() & {SUMMARY, METRICS, HITS})

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


def read_finished(folder: Path, identity: Mapping[str, Any], trials: Sequence[Trial]) -> Finished | None:
    """Read what a finished run left, and check it.

    Args:
        folder: The run's folder.
        identity: What the run is, as nested JSON values.
        trials: All runs of the study, in their order.

    Returns:
        The summary and what is wrong with the files, or None where the run is not finished, or has more epochs now.
    """
    if not (folder / SUMMARY).exists():
        return None
    try:
        summary = read_json(folder / SUMMARY)
        if is_extension({name: summary.get(name) for name in identity}, identity):
            return None
        _check_summary(summary, identity, trials)
    except (UserError, KeyError, TypeError, ValueError, AttributeError) as error:
        return Finished(None, {SUMMARY: f"cannot be believed ({_reason(error)})"})
    return Finished(summary, _faults(folder, summary, trials))


def sealed(summary: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Add to a summary the digests of itself and of the files beside it, as they are now.

    Args:
        summary: Its content, as JSON values.
        folder: The run's folder.
    """
    files = {name: digest for name in DIGESTED if (digest := _digest_of(folder / name)) is not None}
    content = {**summary, "files": files}
    return content | {"files": files | {SUMMARY: _digest_of_summary(content)}}


def histories_of(path: Path, trials: Sequence[Trial]) -> dict[str, list[EpochRecord]]:
    """Read the epochs of each trial by its name.

    Args:
        path: Of a metrics.jsonl that is whole.
        trials: All runs of the study.

    Raises:
        UserError: The file cannot be read, or has rows that are no trial's.
    """
    found: dict[str, list[EpochRecord]] = {trial.name: [] for trial in trials}
    names = {_key(trial.labels): trial.name for trial in trials}
    for row, record in read_rows(path):
        key = _key({name: row.get(name) for name in trials[0].labels})
        if key not in names:
            raise UserError(f"{path}: has rows of other runs")
        found[names[key]].append(record)
    return found


def _check_summary(summary: Mapping[str, Any], identity: Mapping[str, Any], trials: Sequence[Trial]) -> None:
    """Refuse a summary that was altered, is another run's, or lacks what is printed of it."""
    written = summary.get("files", {}).get(SUMMARY)
    if written is not None and written != _digest_of_summary(summary):
        raise UserError(ALTERED)
    if other := differences({name: summary.get(name) for name in identity}, identity):
        raise UserError(f"another run's: {', '.join(other)}")
    runs = summary["runs"]
    if len(runs) != len(trials):
        raise UserError(f"{len(runs)} runs of {len(trials)}")
    for run, trial in zip(runs, trials, strict=True):
        if {name: run[name] for name in trial.labels} != trial.labels or not isinstance(run["epochs"], int):
            raise UserError("another study's runs")
    if lacking := {"command", "wall_seconds", "device", "versions"} - summary.keys():
        raise UserError(f"no {', '.join(sorted(lacking))}")
    summary_table(summary)
    if "uncertainty" in summary:
        uncertainty_table(summary["uncertainty"], summary["data"]["name"])


def _faults(folder: Path, summary: Mapping[str, Any], trials: Sequence[Trial]) -> dict[str, str]:
    """What is wrong with the files beside a summary."""
    written = summary.get("files", {})
    expected = [METRICS, HITS, "curves.png", *(["rates.png"] if "range_test" in summary else [])]
    drawn = UNCERTAINTY_PICTURES if "uncertainty" in summary else ()
    expected += [name for name in (EVENTS, *drawn) if name in written]
    faults = {}
    for name in expected:
        if not (folder / name).exists():
            faults[name] = LOST
        elif name in written:
            if _digest_of(folder / name) != written[name]:
                faults[name] = ALTERED
        elif not _is_plausible(folder / name, summary, trials):
            faults[name] = ALTERED
    return faults


def _is_plausible(path: Path, summary: Mapping[str, Any], trials: Sequence[Trial]) -> bool:
    """Whether a file of an earlier version's run is whole, as far as it says so itself."""
    runs = summary["runs"]
    if path.name == HITS:
        try:
            with path.open("rb") as file, np.load(file) as found:
                return all(found[of].dtype == bool and found[of].shape[:-1] == (len(runs),) for of in ("valid", "test"))
        except (OSError, ValueError, EOFError, KeyError, BadZipFile):
            return False
    if path.name == METRICS:
        try:
            histories = histories_of(path, trials)
        except UserError:
            return False
        counts = [[record.epoch for record in histories[trial.name]] for trial in trials]
        return counts == [list(range(1, run["epochs"] + 1)) for run in runs]
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


def _key(labels: Mapping[str, Any]) -> str:
    return json.dumps(labels, sort_keys=True)


def _reason(error: Exception) -> str:
    text = str(error).splitlines()
    return f"no {text[0]}" if isinstance(error, KeyError) else text[0] if text else type(error).__name__
