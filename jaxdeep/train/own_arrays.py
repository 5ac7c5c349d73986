"""The arrays of a checkpoint that one of several processes keeps by itself.

Orbax writes NumPy arrays in process 0 only, and refuses arrays of one process. So such a process hands Orbax a
file. Orbax makes it a part of the checkpoint, which is whole or not there, and keeps the last ones as always.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp

from jaxdeep.train.checkpoint import OWN_ARRAYS
from jaxdeep.train.leaves import Leaves


class OwnArraysHandler(ocp.CheckpointHandler):
    """A handler of Orbax that writes arrays to one file, without pickles."""

    def save(self, directory: Any, args: "OwnArraysSave") -> None:
        """Write the arrays.

        Args:
            directory: Folder of the state.
            args: Arrays by name.
        """
        members: Any = args.leaves
        np.savez(Path(str(directory)) / OWN_ARRAYS, allow_pickle=False, **members)

    def restore(self, directory: Any, args: Any = None) -> Leaves:
        """Read the arrays.

        Args:
            directory: Folder of the state.
            args: Nothing.
        """
        del args
        with np.load(Path(str(directory)) / OWN_ARRAYS, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}


@ocp.args.register_with_handler(OwnArraysHandler, for_save=True, for_restore=True)
@dataclass
class OwnArraysSave(ocp.args.CheckpointArgs):
    """What Orbax is to write.

    Attributes:
        leaves: Arrays by name.
    """

    leaves: Leaves
