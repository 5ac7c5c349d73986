"""The warning that a run diverged: which one, when, and what to do."""

from jaxdeep.errors import warn

MEND = "Lower optim.learning_rate, or clip the gradients with optim.clip_global_norm 1.0"


def warn_of_run(seed: int, epochs: int, best_epoch: int, learning_rate: float) -> None:
    """Warn of a run that diverged. The warning points to the code that called `fit`.

    Args:
        seed: Seed of the diverged run.
        epochs: Number of epochs that were trained: the last one diverged.
        best_epoch: Epoch whose weights are kept, 0 if there is none.
        learning_rate: Learning rate of its configuration.
    """
    kept = f"Its weights are from epoch {best_epoch}" if best_epoch else "Its weights are untrained"
    warn(
        f"the run with seed {seed} diverged in epoch {epochs}: a loss is not finite. {kept}. "
        f"{MEND.replace('learning_rate', f'learning_rate (now {learning_rate:g})')}"
    )


def warn_of_study(diverged: int, runs: int, name: str, epochs: int) -> None:
    """Warn of a study that lost runs, if any diverged. The warning points to the code that called the study.

    Args:
        diverged: Number of runs that diverged, 0 or more.
        runs: Number of all runs.
        name: Name of the first run that diverged, as `Trial.name` gives it.
        epochs: Number of epochs that it was trained: the last one diverged.
    """
    if not diverged:
        return
    first = name.replace("seed_", "seed ").replace("fold_", "fold ")
    warn(f"{diverged} of {runs} runs diverged, first {first} in epoch {epochs}: a loss is not finite. {MEND}")
