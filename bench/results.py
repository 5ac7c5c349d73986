"""RESULTS.md and the README's tables, written from the records without a figure typed by hand.

The latest entry of each device and workload counts. Earlier entries stay in the records.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import kernels, startup, tables, targets, throughput
from bench.children import ROOT
from bench.questions import QUESTIONS, module
from bench.record import RECORDS, records
from jaxdeep.report.tables import markdown_table

NOTES = ROOT / "bench" / "notes.md"
"""File with the reasons of missed targets."""
HEADLINES = ("selu,batch=32,layers=20", "bn,batch=32,layers=20")
"""Workloads of the README's table."""
INTRODUCTION = """# Results of `python -m bench`

Written by `python -m bench results` from the files in [records](records), which hold every raw timing. Contestants
train the same network from the same weights on the same batches, each in a process of its own, in turn (A B C A B C
...), after a warm-up. A figure is the median of the rounds (minimum - maximum); a ratio is that of the medians, with
the smallest and the largest ratio within a round.
"""


class Device(dict[str, dict[str, dict[str, Any]]]):
    """The latest entries of one machine by question and workload, and the machine."""

    def __init__(self, machine: Mapping[str, Any]) -> None:
        super().__init__()
        self.machine = machine
        self.platform: str = machine["device"]["platform"]


def devices(folder: Path = RECORDS) -> list[Device]:
    """Return all machines with records. The machine with the latest record comes first.

    Args:
        folder: Folder of the records.

    Returns:
        One device for each machine.
    """
    by_name: dict[str, Device] = {}
    for record in records(folder):  # the latest first
        device = by_name.setdefault(record["machine"]["name"], Device(record["machine"]))
        for question, entries in record["questions"].items():
            for workload, entry in entries.items():
                device.setdefault(question, {}).setdefault(workload, entry)
    return list(by_name.values())


def write_results(folder: Path = RECORDS) -> Path:
    """Write RESULTS.md beside the folder of the records.

    Args:
        folder: Folder of the records.

    Returns:
        The path of RESULTS.md.
    """
    path = folder.parent / "RESULTS.md"
    path.write_text(results(devices(folder), notes()))
    return path


def results(machines: list[Device], reasons: Mapping[str, str]) -> str:
    """Return the text of RESULTS.md.

    Args:
        machines: Machines with their entries, from `devices`.
        reasons: Name of a target -> reason why it is missed.

    Returns:
        Markdown.
    """
    return "\n".join((INTRODUCTION, *_side_by_side(machines), *(_section(device, reasons) for device in machines)))


def _side_by_side(machines: list[Device]) -> list[str]:
    """Return the lines of a table that has each target's figure on each machine."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for device in machines:
        name = device.machine["name"]
        for description, aimed, measured, _ in targets.table(device, device.platform)[1:]:
            rows.setdefault((description, aimed), {})[name] = measured
    rows = {target: figures for target, figures in rows.items() if set(figures.values()) != {"-"}}
    if len(machines) < 2 or not rows:
        return []
    names = [device.machine["name"] for device in machines]
    cells = [(*target, *(figures.get(name, "-") for name in names)) for target, figures in rows.items()]
    return ["## Targets, side by side", "", markdown_table(("target", "aimed at", *names), cells), ""]


def notes(path: Path = NOTES) -> dict[str, str]:
    """Return the reasons in notes.md, each below a heading `## NAME` with the target's name.

    Args:
        path: Path of the file, which need not exist.

    Returns:
        Name of a target -> reason.
    """
    text = path.read_text() if path.exists() else ""
    parts = re.split(r"^## (\S+)[ \t]*$", text, flags=re.MULTILINE)
    return {name: reason.strip() for name, reason in zip(parts[1::2], parts[2::2], strict=True)}


def headline_table(device: Device) -> str:
    """Return the milliseconds of a step of all contestants, for `selu` and `bn` at batch 32 and 20 layers.

    Args:
        device: Machine with its entries.

    Returns:
        Markdown.
    """
    entries = device.get("throughput", {})
    return _joined(
        [(f"`{entries[name]['config']}`", throughput.table(entries[name])) for name in HEADLINES if name in entries]
    )


def startup_table(device: Device) -> str:
    """Return the time from the command to the first trained epoch, of all commands.

    Args:
        device: Machine with its entries.

    Returns:
        Markdown.
    """
    entries = device.get("startup", {}).values()
    return _joined([(f"`{entry['config']}`, {entry['layers']} layers", startup.table(entry)) for entry in entries])


def question_table(question: str, device: Device) -> str:
    """Return the entries of a question as one table, with the network of each in the first column.

    Args:
        question: Name of a question whose entries have tables of the same columns.
        device: Machine with its entries.

    Returns:
        Markdown.
    """
    asked = module(question)
    return _joined([(_network(entry), asked.table(entry)) for entry in device.get(question, {}).values()])


def tables_table(device: Device) -> str:
    """Return the scores and seconds of all contestants on tables, a row for each table.

    Args:
        device: Machine with its entries.

    Returns:
        Markdown. "" if nothing was measured.
    """
    entries = device.get("tables", {}).values()
    return markdown_table(*_split(tables.overview(entries))) if entries else ""


def accelerators_table(device: Device) -> str:
    """Return what an epoch runs on each accelerator, as one table with the network in the first column.

    Args:
        device: Machine with its entries. What was compiled there does not depend on it.

    Returns:
        Markdown.
    """
    found = []
    for entry in device.get("kernels", {}).values():
        if "kernels" not in entry:  # a record from before fused layers
            continue
        headers, *rows = kernels.table(entry)
        found.append((_network(entry), [headers, *(row for row in rows if row[0].startswith("epoch"))]))
    return _joined(found)


def _network(entry: Mapping[str, Any]) -> str:
    """Return the network of an entry, how its layers run if they are fused, and what it was compiled for."""
    fused = ["fused"] if entry.get("kernels") == "fused" else []
    return ", ".join((f"`{entry['config']}`", *fused, *([entry["target"]] if "target" in entry else [])))


def _joined(tables: Sequence[tuple[str, Sequence[tuple[str, ...]]]]) -> str:
    """Return tables of the same headers as one, with their names in a first column. No tables give ""."""
    rows = [(name, *row) for name, (_, *body) in tables for row in body]
    return markdown_table(("configuration", *tables[0][1][0]), rows) if tables else ""


def provenance(entry: Mapping[str, Any]) -> str:
    """Return in one line when, from which commit and how an entry was measured.

    Args:
        entry: Entry of the record.

    Returns:
        Markdown.
    """
    changed = " with changes" if entry["changed"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    left_out = "".join(f" {name} is left out: {why}." for name, why in entry.get("left_out", {}).items())
    return (
        f"{entry['time'][:10]}, commit {entry['commit'] or 'unknown'}{changed}, rounds: {entry['rounds']}, {versions}."
        f"{left_out} Again: `{entry['command']}`"
    )


def _section(device: Device, reasons: Mapping[str, str]) -> str:
    """Return the part of RESULTS.md about one machine."""
    machine = device.machine
    lines = [
        f"## {machine['name']}",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; "
        f"JAX computes on {machine['device']['count']} x {machine['device']['kind']}.",
        "",
    ]
    aims = targets.table(device, device.platform)
    if any(verdict != targets.NOT_MEASURED for *_, verdict in aims[1:]):
        lines += ["### targets", "", markdown_table(*_split(aims)), ""]
    for target in targets.missed(device, device.platform):
        if target.name in reasons:
            lines += [f"Missed, {target.description}: {reasons[target.name]}", ""]
    for question in (name for name in QUESTIONS if name in device):
        asked = module(question)
        _, _, explanation = (asked.__doc__ or "").strip().partition(": ")
        lines += [f"### {question}", "", explanation[:1].upper() + explanation[1:], ""]
        for entry in device[question].values():
            lines += [f"**{asked.title(entry)}**", "", markdown_table(*_split(asked.table(entry))), ""]
            lines += [provenance(entry), ""]
    return "\n".join(lines)


def _split(rows: list[tuple[str, ...]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the headers and the other rows."""
    return rows[0], rows[1:]
