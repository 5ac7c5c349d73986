"""A trial that is trained beside others, and what it takes from one phase to the next."""

from pathlib import Path
from typing import Any

import jax

from jaxdeep.data.dataset import Dataset
from jaxdeep.study.trial import Trial
from jaxdeep.train.checkpoint import Checkpointer
from jaxdeep.train.checks import check_fits
from jaxdeep.train.evaluate import Evaluations
from jaxdeep.train.fit import Run, finished, run_identity
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.phases import Stage, first_entry, folder_of_phase, stages_of
from jaxdeep.train.programs import ProgramSpec, spec_of
from jaxdeep.train.source import Source, resolved
from jaxdeep.train.state import TrainState


class BatchedTrial:
    """A trial with its history and its present phase.

    Attributes:
        config: Configuration of the trial, with the number of reused layers.
        seed: Seed of all random numbers.
        data: Data set of the trial.
        history: A record for each epoch so far.
        began: Number of epochs before the present phase.
        phase: Number of the present phase, counted from 0.
        run: Run up to the end of the last phase that has ended, or None.
    """

    def __init__(self, trial: Trial, data: Dataset, source: Source | None, folder: Path | None) -> None:
        """Prepare the first phase.

        Args:
            trial: Configuration with its seed.
            data: Data set of the trial, on the scale of its source.
            source: Network that it starts from, or None.
            folder: Folder for its checkpoints, or None.

        Raises:
            UserError: The configuration does not fit the data set.
        """
        self.config, self.seed, self.data = resolved(trial.config, source), trial.seed, data
        check_fits(self.config, data)
        self.history: list[EpochRecord] = []
        self.began = self.phase = 0
        self.run: Run | None = None
        self._folder, self._identity = folder, run_identity(self.config, data, self.seed, source)
        self._stages = stages_of(self.config, data)
        self._entry = first_entry(self._stages[0], source, jax.random.key(self.seed))
        self._seconds = [0.0, 0.0]

    @property
    def stage(self) -> Stage:
        """Return the present phase."""
        return self._stages[self.phase]

    @property
    def folder(self) -> Path | None:
        """Return the folder for the checkpoints of the present phase, or None."""
        return folder_of_phase(self._folder, self.phase)

    def spec(self) -> ProgramSpec:
        """Return what determines the programs of the present phase if no other trial shares its data set."""
        return spec_of(self.config, [self.stage.shapes], self.stage.trained)

    def features(self) -> Dataset:
        """Return the data set of the present phase."""
        return self.stage.features(self._entry)

    def entered(self, fresh: TrainState) -> TrainState:
        """Return the state before the first epoch of the present phase.

        Args:
            fresh: State that the program for the start returned.
        """
        return self.stage.entered(fresh, self._entry)

    @property
    def takes_over(self) -> bool:
        """Return whether the present phase begins with layers that its program for the start did not draw."""
        return bool(self._entry.layers)

    @property
    def is_last(self) -> bool:
        """Return whether the present phase is the last one."""
        return self.phase == len(self._stages) - 1

    def checkpointer(self) -> Checkpointer:
        """Open the checkpoints of the present phase."""
        return Checkpointer(self.folder, self._identity)

    def leave(
        self,
        state: TrainState,
        evaluations: Evaluations,
        compile_seconds: float,
        checkpoint_seconds: float,
        until: int | None,
    ) -> bool:
        """End the present phase, and begin the next one if there is one.

        Args:
            state: State after the phase's last epoch.
            evaluations: Evaluations of all parts by the best epoch's weights.
            compile_seconds: Seconds in which the phase's programs were compiled.
            checkpoint_seconds: Seconds that the phase waited for checkpoints.
            until: Epoch after which the trial stops, or None.

        Returns:
            Whether there is a next phase.
        """
        self._seconds = [self._seconds[0] + compile_seconds, self._seconds[1] + checkpoint_seconds]
        is_over = self.is_last or bool(state.diverged) or (until is not None and len(self.history) >= until)
        whole = self.stage.whole(state, self._entry)
        self.run = finished(self.config, self.data, self.seed, self.history, whole, evaluations, *self._seconds)
        if not is_over:
            self._entry = self.stage.left(state, self._entry)
            self.phase, self.began = self.phase + 1, len(self.history)
        return not is_over

    def last_epoch(self, until: int | None) -> int:
        """Return the epoch behind which the present phase ends at the latest.

        Args:
            until: Epoch after which the trial stops, or None.
        """
        last: Any = self.stage.phase.last
        return last if until is None else min(last, until)
