"""The flag `--export`, which writes the best network of a study as a folder that is served without training code."""

from pathlib import Path

from jaxdeep.cli.words import closing_line
from jaxdeep.config import Config
from jaxdeep.errors import UserError
from jaxdeep.study.names import folder_name
from jaxdeep.study.result import StudyResult
from jaxdeep.study.trial_result import TrialResult
from jaxdeep.train.exported import check_flatbuffers
from jaxdeep.train.exported_file import NETWORK, ONNX, RECORD, check_folder
from jaxdeep.train.onnx_graph import check_onnx
from jaxdeep.train.saved import load


def check_export(folder: Path, config: Config, *, onnx: bool) -> None:
    """Refuse a folder that cannot hold an exported network, before anything is trained.

    Args:
        folder: Folder of `--export`.
        config: Configuration that is trained.
        onnx: Whether ONNX is written too.

    Raises:
        UserError: The folder has other files or cannot be read, ONNX cannot express the network, or flatbuffers or onnx
            is not installed.
    """
    check_flatbuffers("--export")
    if onnx:
        check_onnx(config)
    try:
        check_folder(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror or error}). Choose another folder.") from error


def export_best(result: StudyResult, of_study: Path, folder: Path, *, onnx: bool) -> str:
    """Export the network with the best validation figure of all trials.

    That is the lowest val_loss, or with train.monitor="val_accuracy" the highest val_accuracy. Test rows choose
    nothing.

    Args:
        result: Result of the study.
        of_study: Folder of the study, which holds its networks.
        folder: Folder of `--export`.
        onnx: Whether ONNX is written too.

    Returns:
        One line that names the folder, its files and the trial. Without a network to export it says so.

    Raises:
        UserError: The network cannot be read, or the folder cannot be written.
    """
    by_accuracy = result.config["train"].get("monitor") == "val_accuracy"
    figure = "val_accuracy" if by_accuracy else "val_loss"
    found: list[tuple[float, TrialResult]] = []
    for trial in result.trials:
        value = trial.val_accuracy if by_accuracy else trial.val_loss
        if trial.best_epoch and value is not None:
            found.append((-value if by_accuracy else value, trial))
    if not found:
        return f"{folder}: nothing is exported, because every run diverged"
    trial = min(found, key=lambda pair: pair[0])[1]
    load(of_study, name=folder_name(trial.name)).export(folder, onnx=onnx)
    files = (RECORD, NETWORK, *([ONNX] if onnx else []))
    return f"{closing_line(folder, *files)}, of {trial.name} with {figure} {getattr(trial, figure):.4f}"
