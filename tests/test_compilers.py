"""What XLA's compilers make of the programs: that of a TPU, which needs no TPU, and that of the CPU for many devices.

`make test-tpu` runs this file with the extra `bench-tpu`. Elsewhere the test of the TPU is skipped.
"""

import os
import subprocess
import sys

import pytest

from bench import kernels
from bench.accelerators import TARGETS, installed
from bench.children import ROOT
from bench.compilers import MEMBERS, STUDY

DIVIDED = """
import jax

from bench.compilers import STUDY, small, study
from bench.hlo import collectives, entry_of
from bench.networks import KERNELS

found = study(*small(*KERNELS["NAME"]), jax.devices())
jitted = jax.jit(found.function, in_shardings=found.shardings, donate_argnums=found.donated)
text = jitted.lower(*found.arguments).compile().as_text()
assert found.chips == 8
assert "num_partitions=8" in text
assert f"f32[{STUDY // 8},1,100,3072]" in text  # the first layer of a device's trials
assert f"f32[{STUDY}," not in text
assert entry_of(text).step(found.steps) is not None
assert collectives(text) == 0
jitted = jax.jit(lambda state: jax.tree.map(lambda leaf: leaf.sum(0), state), in_shardings=found.shardings[0])
assert collectives(jitted.lower(found.arguments[0].params).compile().as_text()) > 0
"""


@pytest.mark.parametrize("name", ["selu", "bn"])
def test_a_study_that_is_divided_among_eight_devices_holds_no_collective(name: str) -> None:
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "8"}
    command = (sys.executable, "-W", "error", "-c", DIVIDED.replace("NAME", name))
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif("v5e" not in installed(), reason="libtpu is not installed. Run make test-tpu.")
def test_a_tpu_compiler_takes_all_programs_and_a_study_on_256_chips_holds_no_collective() -> None:
    answer = kernels.compiled(TARGETS["v5e"], "v5e", "selu", "xla")
    assert answer["left_out"] == {}
    found = answer["programs"]
    by_name = {(program["program"], program["trials"]): program for program in found}
    assert {"start", "evaluate", "lr_finder", "predict", "ensemble"} <= {name for name, _ in by_name}
    assert by_name["ensemble", MEMBERS]["operations"] == MEMBERS * by_name["predict", 1]["operations"]
    one, eight = by_name["epoch", 1], by_name["epoch", 8]
    assert 0 < one["fusions_a_step"] <= one["kernels_a_step"] < one["kernels"]

    divided = by_name[f"epoch of a study of {STUDY} trials on 256 chips", STUDY]
    assert divided["chips"] == 256
    assert divided["collectives"] == 0
    assert divided["step_bytes"] == 2 * one["step_bytes"]
    assert one["arguments"] < divided["arguments"] < eight["arguments"]  # a chip holds two trials
    assert divided["temporaries"] <= eight["temporaries"]
