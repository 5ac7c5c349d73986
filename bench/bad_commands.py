"""Command lines that must be refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.attempts import Attempt, command, process
from bench.bad_values import WORDS, fields

QUICK: Final = ("--config", "sanity", "--model.units", "4", "--train.epochs", "1")
SPACE: Final = ("--space", "optim.beta_1=0.5:0.9")
LONG: Final = "1" * 5_000


def bad_commands(inputs: Path) -> list[Attempt]:
    """Return the attempts of all these command lines.

    Args:
        inputs: Folder for the files that some command lines name.

    Returns:
        Attempts that are not made yet.
    """
    return [*_of_fields(), *_grids(), *_spaces(), *_counts(), *_conflicts(), *_names(), *_places(inputs), *_processes()]


def _of_fields() -> Iterator[Attempt]:
    for field in fields():
        flag = f"--{field.dotted}"
        yield from (
            command("command: a field's value", ["--config", "sanity", flag, word]) for word in WORDS[field.kind]
        )
        yield command("command: a misspelt flag", [*QUICK, f"{flag}x", "1"])
    for flag in ("--model.unit", "--lr", "--optim", "--epochs", "--learning-rate", "--model.units.0", "--"):
        yield command("command: a misspelt flag", [*QUICK, flag, "1"])


def _grids() -> Iterator[Attempt]:
    kind = "command: --grid"
    for field in fields():
        yield command(kind, [*QUICK, "--grid", f"{field.dotted}=swoosh,1"])
        yield command(kind, [*QUICK, "--grid", f"{field.dotted}x=1,2"])
    rate = "optim.learning_rate"
    wrong = ("", "=", "=,", "=0.1,", "=0.1,0.1", "=0.1,1e-1", "=nan", "=inf", "=0.1,-1", "=0.1;0.2", "=0.1:0.2")
    yield from (command(kind, [*QUICK, "--grid", f"{rate}{values}"]) for values in wrong)
    yield command(kind, [*QUICK, "--grid"])
    yield command(kind, [*QUICK, "--grid", ""])
    yield command(kind, [*QUICK, "--grid", f"{rate}=0.1,0.2", "--grid", "optim.learning-rate=0.3"])
    yield command(kind, [*QUICK, "--grid", "model.batch_norm=true,false"])
    yield command(kind, [*QUICK, "--grid", "train.epochs=1,2.5"])
    yield command(kind, [*QUICK, "--grid", f"train.epochs={LONG}"])
    yield command(kind, [*QUICK, "--grid", "data.valid_size=10,20"])
    many = ",".join(map(str, range(1, 1_001)))
    yield command(kind, [*QUICK, "--grid", f"train.patience={many}", "--grid", f"train.batch_size={many}"])


def _spaces() -> Iterator[Attempt]:
    kind, samples = "command: --space and --samples", ("--samples", "2")
    wrong = (
        "",
        "=",
        "=1",
        "=1:",
        "=:1",
        "=a:b",
        "=1:2:3",
        "=2:1",
        "=1:1",
        "=nan:1",
        "=0:1:log",
        "=1:inf",
        "=1:2:log:x",
    )
    for values in wrong:
        yield command(kind, [*QUICK, "--space", f"optim.learning_rate{values}", *samples])
    for text in ("model.units=1:2", "model.batch_norm=0:1", "model.activation=a:b", "train.epochs=1.5:3", "x=1:2"):
        yield command(kind, [*QUICK, "--space", text, *samples])
    yield command(kind, [*QUICK, "--space", "optim.beta_1=0.5:2", *samples])
    yield command(kind, [*QUICK, "--space", "train.patience=1:1e300", *samples])
    yield command(kind, [*QUICK, *SPACE])
    yield command(kind, [*QUICK, *samples])
    yield command(kind, [*QUICK, *SPACE, *SPACE, *samples])
    yield command(kind, [*QUICK, *SPACE, "--grid", "optim.beta_1=0.5", *samples])
    for count in ("0", "-1", "2.5", "x", "", "1000000000000", LONG):
        yield command(kind, [*QUICK, *SPACE, "--samples", count])
    yield command(kind, [*QUICK, "--space", "train.patience=1:3", "--samples", "9"])


def _counts() -> Iterator[Attempt]:
    for word in ("0", "-1", "1", "2.5", "x", "", "nan", "1000000000", LONG):
        yield command("command: --folds", [*QUICK, "--folds", word])
    for word in ("0", "-1", "2.5", "x", "", "None0", "1000000000", LONG):
        yield command("command: --seeds", [*QUICK, "--seeds", word])
    for word in ("-1", "4294967296", "18446744073709551616", "1.0", "x", "", "nan", LONG):
        yield command("command: --seed", [*QUICK, "--seed", word])
    yield command("command: --seeds", [*QUICK, "--seed", "4294967295", "--seeds", "2"])
    yield command("command: --seed", [*QUICK, "--seed", "4294967296", "--find-lr"])
    for word in ("0", "1", "-1", "2.5", "x", "", LONG):
        dropout = ("--model.dropout-sites", "every", "--model.dropout-rate", "0.1")
        yield command("command: --mc-samples", [*QUICK, *dropout, "--mc-samples", word])
    yield command("command: --mc-samples", [*QUICK, "--mc-samples", "10"])
    yield command("command: --mc-samples", [*QUICK, "--ensemble"])
    for word in ("hyperban", "", "1"):
        yield command("command: --halving", [*QUICK, "--grid", "optim.beta_1=0.5,0.9", "--halving", word])
    yield command("command: --halving", [*QUICK, "--halving", "successive"])
    yield command("command: --halving", [*QUICK, "--grid", "train.epochs=1,9", "--halving", "successive"])
    yield command("command: --halving", [*QUICK, *SPACE, "--samples", "2", "--halving", "hyperband"])
    yield command("command: --halving", [*QUICK[:-2], *SPACE, "--halving", "hyperband", "--train.epochs", "2000000000"])


def _conflicts() -> Iterator[Attempt]:
    kind, grid = "command: flags that exclude each other", ("--grid", "optim.beta_1=0.5,0.9")
    pairs = [("--summary", "--find-lr")]
    for flag in ("--summary", "--find-lr"):
        pairs += [(flag, *grid), (flag, *SPACE, "--samples", "2"), (flag, "--folds", "2")]
        pairs += [(flag, "--mc-samples", "10"), (flag, "--ensemble")]
    for request in (("--mc-samples", "10"), ("--ensemble",)):
        pairs += [(*request, *grid), (*request, "--folds", "2"), (*request, *SPACE, "--samples", "2")]
    yield from (command(kind, [*QUICK, *pair]) for pair in pairs)
    compare = ("--compare", "elu", "selu", "--train.epochs", "1")
    for more in (
        *(grid, (*SPACE, "--samples", "2"), ("--summary",), ("--find-lr",), ("--workdir", "w"), ("--mc-samples", "10")),
        *(("--ensemble",), ("--config", "elu"), ("--config=elu",), ("--seeds", "1"), ("--seeds", "0")),
    ):
        yield command(kind, [*compare, *more])


def _names() -> Iterator[Attempt]:
    kind = "command: --config, --compare and --data"
    for name in ("selo", "", "SELU", "None", "1", "../selu", "selu,elu"):
        yield command(kind, ["--config", name])
        yield command(kind, ["--compare", "elu", name])
    for names in ((), ("elu",), ("elu", "elu"), ("elu", "selu", "elu")):
        yield command(kind, ["--compare", *names])
    yield command(kind, [])
    yield command(kind, ["--config"])
    yield command(kind, ["selu"])
    yield command(kind, ["--config", "selu", "extra"])
    for source in ("mnist", "", "cifar", "CIFAR10", "None"):
        yield command(kind, [*QUICK, "--data", source])
    for flag in ("--overwrite", "--profile", "--ensemble", "--summary", "--find-lr"):
        yield command(kind, [*QUICK, flag, "yes"])


def _places(inputs: Path) -> Iterator[Attempt]:
    file, empty, other = inputs / "a_file", inputs / "empty", inputs / "notes"
    file.write_text("text")
    empty.mkdir(exist_ok=True)
    other.mkdir(exist_ok=True)
    (other / "notes.txt").write_text("not images")
    for place in (file, empty, other, inputs / "nowhere", file / "below"):
        for source in ((), ("--data", "cifar10")):
            yield command("command: --data-dir", [*QUICK, *source, "--data-dir", str(place)], real_images=True)
    for place in (file, file / "below", Path("/dev/null/below"), Path("/proc/jaxdeep"), inputs / ("long" * 100)):
        yield command("command: --workdir", [*QUICK, "--workdir", str(place)])
    yield command("command: --data-dir", [*QUICK, "--data-dir"])
    yield command("command: --workdir", [*QUICK, "--workdir"])


def _processes() -> Iterator[Attempt]:
    for argv in (
        ("--config", "selo"),
        ("--config", "selu", "--train.epochs", "2.5"),
        ("--config", "selu", "--optim.learning-rate", "nan"),
        ("--config", "selu", "--seed", "4294967296"),
        ("--config", "selu", "--data-dir", "nowhere"),
        ("--config", "selu", "--data", "synthetic", "--model.units", "1000000000000"),
        ("--compare", "elu"),
    ):
        yield process("command: as a process", argv)
