"""What `scaling` measures and models. No test asserts a time."""

import os

import pytest

from bench import scaling
from bench.accelerators import installed
from bench.hlo import exchanged

PROGRAM = """HloModule small

%sum (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %c = f32[] add(%a, %b)
}

%body (p: (s32[], f32[8,100])) -> (s32[], f32[8,100]) {
  %p = (s32[], f32[8,100]) parameter(0)
  %x = f32[8,100] get-tuple-element(%p), index=1
  %r = f32[8,100]{1,0} all-reduce(%x), to_apply=%sum
  %s = (f32[8], f32[8]) all-reduce-start(%x), to_apply=%sum
  %d = f32[8] all-reduce-done(%s)
  ROOT %t = (s32[], f32[8,100]) tuple(%p, %r)
}

%cond (p: (s32[], f32[8,100])) -> pred[] {
  %p = (s32[], f32[8,100]) parameter(0)
  ROOT %l = pred[] compare(%p, %p), direction=LT
}

ENTRY %main (x: f32[8,100]) -> f32[8,100] {
  %x = f32[8,100] parameter(0)
  %g = bf16[16,100] all-gather(%x), dimensions={0}
  %w = (s32[], f32[8,100]) while(%x), condition=%cond, body=%body, backend_config={"known_trip_count":{"n":"5"}}
  ROOT %o = f32[8,100] get-tuple-element(%w), index=1
}
"""


def test_collectives_count_as_often_as_they_run_with_the_bytes_of_their_results() -> None:
    assert exchanged(PROGRAM) == (1 + 5 * 2, 16 * 100 * 2 + 5 * (8 * 100 * 4 + 8 * 4))


def test_two_processes_are_timed_beside_one_and_a_table_and_a_model_are_made(tmp_path) -> None:
    found = {
        "one": scaling._study(1, tmp_path, trials=2, rows=64)[0],
        "two": scaling._study(2, tmp_path, trials=2, rows=64)[0],
    }
    entry = {"kind": "measured", "trials": 2, "rows": 64, "epochs": 3, "measured": [found]}
    assert "2 trials in one and two" in scaling.title(entry)
    assert all(float(cells[1].replace(",", "")) >= 0 for cells in scaling.table(entry)[1:])
    programs = [
        {
            "program": "a study of 512 trials",
            "trials": 512,
            "chips": chips,
            "collectives": 0,
            "exchanged_bytes": 0,
            "kernels_a_step": 300,
            "temporaries": 10**6,
            "compile_seconds": 3.0,
        }
        for chips in (8, 64, 256)
    ]
    model = {"kind": "model", "assumed": scaling.MODEL, "costs": scaling._costs([found]), "programs": programs}
    rows = scaling.table(model)[1:]
    assert [row[0] for row in rows] == ["1", "8", "256"]
    hours = [float(row[1]) for row in rows]
    assert hours == sorted(hours, reverse=True)
    assert "no measurement" in scaling.title(model)
    compiled = {"kind": "compiled", "config": "selu", "target": "TPU v5e", "programs": programs}
    assert [row[1] for row in scaling.table(compiled)[1:]] == ["8", "64", "256"]
    assert "compiled and not run" in scaling.title(compiled)


@pytest.mark.skipif("v5e" not in installed(), reason="libtpu is not installed. Run make test-tpu.")
def test_a_tpu_compiler_takes_a_study_and_a_data_parallel_run_for_many_chips() -> None:
    programs = {(found["program"], found["chips"]): found for found in scaling.compiled("selu")}
    assert {chips for name, chips in programs if name.startswith("a study")} == {8, 64, 256}
    runs = {chips: found for (name, chips), found in programs.items() if name.startswith("one run")}
    assert set(runs) == {8, 64}
    for (name, _), found in programs.items():
        assert (found["collectives"] == 0) == name.startswith("a study")
    weights = 4 * (3072 * 100 + 18 * 100 * 100 + 19 * 100)
    for found in runs.values():
        assert found["exchanged_bytes"] > found["steps"] * weights  # the gradients, once a step
        assert found["temporaries"] > 0
    assert os.environ.get("JAX_PLATFORMS") == "cpu"
