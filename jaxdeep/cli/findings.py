"""Findings of `jaxdeep.lint` in a command, each a warning, or with `--strict` an error before training."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Final

from jaxdeep.cli.command import Command
from jaxdeep.cli.recipe import Experiment
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.subsets import selected
from jaxdeep.errors import UserError, warn
from jaxdeep.lint import Finding, compared, lint_config, lint_rows

MOST_LINES: Final = 3
"""Number of pairs above which one line warns of all."""


def check_findings(experiment: Experiment, command: Command, config: Config, data: Dataset) -> None:
    """Warn of probable mistakes in a study's configurations or its images, once for each kind of mistake.

    Findings that the recipe expects are left out.

    Args:
        experiment: Configurations and their data.
        command: Command of the study.
        config: Configuration of the command, as it is trained.
        data: Images of the command.

    Raises:
        UserError: There is a finding, and the command has --strict.
    """
    configs = dict.fromkeys(trial.config for trial in command.design.trials(config))
    of_configs = [finding for varied in configs for finding in lint_config(varied, data)]
    first: dict[str, Finding] = {}
    for finding in (*of_configs, *lint_rows(selected(data, config.data))):
        first.setdefault(finding.name, finding)
    counts = Counter(finding.name for finding in of_configs)
    expected = experiment.recipes[command.name].expected
    lines = []
    for name, finding in first.items():
        several = f", in {counts[name]} of {len(configs)} configurations" if counts[name] and len(configs) > 1 else ""
        if name not in expected:
            lines.append(f"{finding.message} [{name}{several}]")
    _say(lines, command.strict)


def check_pairs(commands: Sequence[Command]) -> None:
    """Warn of pairs of configurations that differ in more than one thing. Many pairs share one line.

    Args:
        commands: One command for each configuration that is compared.

    Raises:
        UserError: There is such a pair, and the commands have --strict.
    """
    pairs = list(itertools.combinations(commands, 2))
    by_pair = {}
    for first, second in pairs:
        if (finding := compared(first.config, second.config)) is not None:
            by_pair[f"{first.name} and {second.name}"] = finding
    lines = [f"{pair}: {finding.message} [{finding.name}]" for pair, finding in by_pair.items()]
    strict = any(command.strict for command in commands)
    if len(lines) > MOST_LINES and not strict:
        names = {finding.name for finding in by_pair.values()}
        lines = [
            f"{len(by_pair)} of {len(pairs)} pairs differ in more than one thing. No difference of figures can be "
            f"put down to one of these. Each verdict names the fields. [{', '.join(sorted(names))}]"
        ]
    _say(lines, strict)


def _say(lines: Sequence[str], strict: bool) -> None:
    """Warn of each line, or raise them as one UserError if strict."""
    if strict and lines:
        raise UserError(f"--strict: {' '.join(lines)}")
    for line in lines:
        warn(line)
