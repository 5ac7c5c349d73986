"""The folder of a study that several processes train. Process 0 has claimed it, and alone writes its files.

The checkpoints of a trial are written by the process that trains it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxdeep.study.folder import RunFolder
from jaxdeep.study.growth import Relation
from jaxdeep.study.result import StudyResult
from jaxdeep.study.trial import Trial
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.job import Job


def opened(job: Job, path: Path, identity: Mapping[str, Any], *, overwrite: bool) -> RunFolder:
    """Open a run folder for all processes of a job.

    Args:
        job: Job of this process.
        path: Path of the folder, the same one for all processes.
        identity: Identity of the study as nested JSON values.
        overwrite: Whether the files of another study are removed first.

    Returns:
        The folder. Only process 0 writes the files of the study.

    Raises:
        UserError: The folder holds another study or other files, or is used by another job. Or the processes do not
            share it.
    """
    claimed: list[RunFolder] = []

    def claim() -> str | None:
        folder = RunFolder(path, identity, overwrite=overwrite)
        claimed.append(folder)
        return None if folder.relation is None else folder.relation.name

    name = job.once(claim)
    if claimed:
        return claimed[0]
    return FollowedFolder(path, identity, None if name is None else Relation[name])


class FollowedFolder(RunFolder):
    """A run folder that process 0 has claimed, in another process. It is read, and nothing is written."""

    def __init__(self, path: Path, identity: Mapping[str, Any], relation: Relation | None) -> None:
        """Follow process 0.

        Args:
            path: Path of the folder.
            identity: Identity of the study as nested JSON values.
            relation: How this study relates to the stored one, or None for a new folder.
        """
        self.path, self._identity, self.relation = path, identity, relation
        self.kept: StudyResult | None = None
        self._seconds_before = None

    def __exit__(self, *_: object) -> None:
        return

    def follow(self, trial: Trial, history: Sequence[EpochRecord]) -> None:
        """Leave this to process 0."""
        del trial, history

    def write_figures(self, result: StudyResult) -> None:
        """Leave this to process 0."""
        del result

    def write_networks(self, result: StudyResult) -> None:
        """Leave this to process 0."""
        del result

    def write_result(self, result: StudyResult) -> None:
        """Leave this to process 0."""
        del result

    def write_events(self, result: StudyResult) -> None:
        """Leave this to process 0."""
        del result
