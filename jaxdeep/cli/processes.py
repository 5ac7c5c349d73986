"""The flags of several processes, and what they do not go with."""

from collections.abc import Mapping
from typing import Any, Final

from jaxdeep.errors import UserError

ADDRESS_FLAGS: Final = ("coordinator", "num_processes", "process_id")
"""Fields of the command that say where the processes are."""


def check_processes(given: Mapping[str, Any]) -> None:
    """Refuse flags of several processes that have no effect or do not go together.

    Args:
        given: Value of each field of the command by name.

    Raises:
        UserError: A flag has no effect, or its value is out of its range.
    """
    flags = {name: f"--{name.replace('_', '-')}" for name in (*ADDRESS_FLAGS, "distributed", "data_parallel")}
    named = [name for name in ADDRESS_FLAGS if given[name] is not None]
    if named and not given["distributed"]:
        raise UserError(f"{flags[named[0]]} has no effect without --distributed. Remove it, or add --distributed.")
    for name in ("distributed", "data_parallel"):
        if given[name] and (given["find_lr"] or given["summary"]):
            raise UserError(f"{flags[name]} has no effect with --find-lr or --summary. Remove it.")
    if (address := given["coordinator"]) is not None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise UserError(f"--coordinator is {address}. Give the host and the port of process 0, as in node-0:9876.")
    count, number = given["num_processes"], given["process_id"]
    if count is not None and count < 1:
        raise UserError(f"--num-processes is {count}. Give 1 or more.")
    if number is not None and not 0 <= number < (number + 1 if count is None else count):
        most = "" if count is None else f" .. {count - 1}"
        raise UserError(f"--process-id is {number}. Give a number from 0{most}.")
