"""What a picture's title says: the study, its data, what was changed, and its seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxdeep.config import Config
from jaxdeep.config.compare import changes_in_words, value_in_words
from jaxdeep.config.identity import changed_fields
from jaxdeep.study.result import StudyResult


def title_of(identity: Mapping[str, Any], changed: Mapping[str, Any] | None = None) -> str:
    """Return the title of a study's pictures: a line that names the study and its data, and a line of its settings.

    Args:
        identity: What the study is, as nested JSON values: experiment, name, config, seeds, data, and what it varies.
        changed: JSON value of each field that differs from the named configuration, by dotted name. None if the
            configuration has no name that is known: the fields that differ from `Config()` are named then.
    """
    if changed is None:
        changed = changed_fields(Config().to_dict(), identity["config"])
    name = f"{identity['experiment']} {identity['name']} on {data_in_words(identity)}"
    parts = [changes_in_words(changed), *_design(identity), seeds_in_words(identity["seeds"])]
    return _joined(name, parts)


def title_of_study(result: StudyResult) -> str:
    """Return the title of the pictures of a study.

    Args:
        result: Result of the study.
    """
    return title_of(result.identity(), result.changed)


def title_of_comparison(studies: Sequence[StudyResult]) -> str:
    """Return the title of a picture of several studies of one data set.

    Args:
        studies: Results of the studies. They have the same seeds.
    """
    first = studies[0]
    changes = [study.changed or {} for study in studies]
    common = {name: value for name, value in changes[0].items() if all(of.get(name) == value for of in changes)}
    others = []
    for study, changed in zip(studies, changes, strict=True):
        if own := {name: value for name, value in changed.items() if name not in common}:
            others.append(f"{study.name} {changes_in_words(own)}")
    seeds = seeds_in_words(first.seeds) + (" each" if len(first.seeds) > 1 else "")
    parts = [changes_in_words(common), *others, *_design(first.identity()), seeds]
    return _joined(f"{first.experiment} on {data_in_words(first.identity())}", parts)


def data_in_words(identity: Mapping[str, Any]) -> str:
    """Return the name of a data set, with `synthetic` and `subset` where it is one, and the mistake of its test rows.

    Args:
        identity: What a study is, as nested JSON values, with its data and its config.
    """
    data = identity["config"].get("data") or {}
    rows, classes = data.get("train_size"), data.get("classes") or ()
    drawn = [data.get("per_class"), data.get("valid_per_class")]
    marks = ["synthetic"] if identity["data"]["synthetic"] else []
    marks += [f"classes {', '.join(map(str, classes))}"] if classes else []
    marks += [] if rows is None else [f"subset of {rows:,} training rows"]
    marks += [
        f"{count:,} {part} rows a class, draw {data.get('draw', 0)}"
        for count, part in zip(drawn, ("training", "validation"), strict=True)
        if count is not None
    ]
    marks += ["validated on the test rows"] if data.get("validate_on_test") else []
    name = identity["data"]["name"] or "data"
    return f"{name} ({', '.join(marks)})" if marks else str(name)


def seeds_in_words(seeds: Sequence[int]) -> str:
    """Return the number of seeds, or the only seed.

    Args:
        seeds: The seeds of a study, one or more.

    >>> seeds_in_words([42]), seeds_in_words(range(42, 46))
    ('seed 42', '4 seeds')
    """
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds"


def _joined(name: str, parts: Sequence[str]) -> str:
    """Return a name and its settings, on a line of their own if there are several."""
    given = [part for part in parts if part]
    return (", " if len(given) == 1 else "\n").join((name, ", ".join(given)))


def _design(identity: Mapping[str, Any]) -> list[str]:
    """Return the fields that a study varies, and how, in words."""
    grid, space = identity.get("grid") or {}, identity.get("space") or {}
    parts = [f"grid of {' x '.join(f'{name} ({len(values)})' for name, values in grid.items())}"] if grid else []
    if space:
        drawn = f"{identity['samples']} samples" if identity.get("samples") else "samples"
        parts.append(f"{drawn} of {' x '.join(f'{name} in {value_in_words(span)}' for name, span in space.items())}")
    parts += [f"{identity['halving']} halving"] if identity.get("halving") else []
    parts += [f"{identity['folds']} folds"] if identity.get("folds") else []
    return parts


def labels_of(fields: Sequence[str]) -> dict[str, str]:
    """Return a label for each field: the last part of its name, or the whole name if another field ends alike.

    Args:
        fields: Dotted names.

    >>> labels_of(["optim.learning_rate", "model.alpha", "optim.alpha"])
    {'optim.learning_rate': 'learning_rate', 'model.alpha': 'model.alpha', 'optim.alpha': 'optim.alpha'}
    """
    ends = [name.rpartition(".")[2] for name in fields]
    return {name: end if ends.count(end) == 1 else name for name, end in zip(fields, ends, strict=True)}
