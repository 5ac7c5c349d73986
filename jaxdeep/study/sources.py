"""The trained networks that the trials of a study start from."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxdeep.config import Config
from jaxdeep.config.identity import comparable
from jaxdeep.study.claim import WRITTEN_BY
from jaxdeep.study.files import read_json
from jaxdeep.study.trial import Trial
from jaxdeep.train.run import Run
from jaxdeep.train.saved import END, NETWORKS
from jaxdeep.train.source import Source, source_of

SourceOfTrial = Run | Source | Path | str | Callable[[Trial], Any] | None
"""Network that trials start from, or a function of a trial that returns it. None takes what `transfer.source` names."""


def sources_of(trials: Sequence[Trial], given: SourceOfTrial) -> list[Source | None]:
    """Return the network that each trial starts from.

    Args:
        trials: Trials of a study.
        given: One network for all trials, a function of a trial, or None for what `transfer.source` names.

    Raises:
        UserError: There is no such network, or it cannot be read.
    """
    found: list[Source | None] = []
    known: dict[Any, Source | None] = {}
    for trial in trials:
        own = given(trial) if callable(given) else given
        path = str(own) if isinstance(own, str | os.PathLike) else trial.config.transfer.source
        name = id(own) if isinstance(own, Run | Source) else (path, trial.seed)
        if name not in known:
            known[name] = source_of(trial.config, trial.seed, own)
        found.append(known[name])
    return found


def source_digest(config: Config, seeds: Sequence[int], given: Run | Path | str | None = None) -> str | None:
    """Return the digest by which a study identifies the networks that its trials start from.

    A run's folder with a network for each seed is identified by its study without the seeds. The study that starts from
    it can then grow by seeds, as the folder can. Any other source is identified by its network.

    Args:
        config: Configuration of the study.
        seeds: Seeds of the study.
        given: A run, or the path of a saved network or a run's folder. None takes what `transfer.source` names.

    Returns:
        64 hexadecimal digits. None without a source.

    Raises:
        UserError: There is no such network, or it cannot be read.
    """
    given = config.transfer.source or None if given is None else given
    if isinstance(given, str | os.PathLike):
        folder = Path(os.path.expanduser(given))
        record = folder / "config.json"
        count = len(list((folder / NETWORKS).glob(f"*{END}"))) if record.is_file() else 0
        if count:
            content = comparable(read_json(record))
            if count > 1 or list(seeds) == content.get("seeds"):
                of_study = {name: value for name, value in content.items() if name not in ("seeds", WRITTEN_BY)}
                return hashlib.sha256(json.dumps(of_study, sort_keys=True).encode()).hexdigest()
    source = source_of(config, seeds[0], given)
    return None if source is None else source.digest
