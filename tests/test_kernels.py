"""Counts of kernels from the text of programs, and the lowering of every program for GPUs and TPUs."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from small_runs import trained_run

from bench import compilers, kernels
from bench.accelerators import TARGETS, installed
from bench.compilers import MEMBERS, PREDICTED, SAMPLES, ensemble_of_networks, programs, small
from bench.hlo import collectives, entry_of
from bench.least import step_operations
from bench.networks import KERNELS
from bench.options import parse
from bench.questions import QUESTIONS
from jaxdeep.analysis.ensembles import ensemble
from jaxdeep.errors import UserError
from jaxdeep.train.forward import probabilities

TEXT = """HloModule jit_f

%body.1 (p: (s32[], f32[8])) -> (s32[], f32[8]) {
  %p = (s32[], f32[8]{0}) parameter(0)
  %a = f32[8]{0} get-tuple-element(%p), index=1
  %b = f32[8]{0} fusion(%a), kind=kLoop, calls=%fused
  %c = f32[8]{0} custom-call(%b), custom_call_target="__cublas$gemm"
  ROOT %t = (s32[], f32[8]{0}) tuple(%a, %c)
}

%condition.1 (p: (s32[], f32[8])) -> pred[] {
  %n = s32[]{:T(128)} constant(19)
  ROOT %lt = pred[] compare(%i, %n), direction=LT
}

%step (p: (s32[], f32[8])) -> (s32[], f32[8]) {
  %w = (s32[], /*index=1*/f32[8]{0}) while(%p), condition=%condition.1, body=%body.1
  %d = f32[8]{0} all-reduce(%a), to_apply=%sum
  ROOT %e = f32[8]{0} fusion(%d), kind=kInput, calls=%other
}

%true (p: f32[8]) -> f32[8] {
  ROOT %x = f32[8]{0} copy(%p)
}

%false (p: f32[8]) -> f32[8] {
  %x = f32[8]{0} copy(%p)
  ROOT %y = f32[8]{0} fusion(%x), kind=kLoop, calls=%fused
}

ENTRY %main (p: f32[8]) -> f32[8] {
  %p = f32[8]{0} parameter(0)
  %z = f32[8]{0} bitcast(%p)
  %w = (s32[], f32[8]{0}) while(%t), condition=%c, body=%step, backend_config={"known_trip_count":{"n":"38"}}
  ROOT %r = f32[8]{0} conditional(%q, %p, %p), true_computation=%true, false_computation=%false
}
"""


def test_loops_count_as_often_as_they_run_and_a_condition_by_its_longer_branch() -> None:
    entry = entry_of(TEXT)
    step = entry.step(38)
    assert step is not None
    assert step.kernels == 19 * 2 + 2
    assert step.fusions == 19 * 2 + 1
    assert entry.kernels == 38 * step.kernels + 2
    assert collectives(TEXT) == 1
    assert entry.step(37) is None


def test_a_text_without_an_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="no ENTRY"):
        entry_of("%a (p: f32[8]) -> f32[8] {\n}\n")


def test_the_loops_of_a_compiled_program_are_found() -> None:
    def steps(x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda x, _: (jax.numpy.sin(x @ x), None), x, None, length=7)[0]

    text = jax.jit(steps).lower(np.eye(4, dtype=np.float32)).compile().as_text()
    assert text is not None
    step = entry_of(text).step(7)
    assert step is not None
    assert step.kernels >= 1


@pytest.mark.parametrize("name", ["selu", "bn", "alpha_dropout", "fashion_mnist/dropout"])
def test_every_program_lowers_for_gpus_and_tpus(name: str) -> None:
    seen = set()
    for program in programs(*small(*KERNELS[name])):
        if program.trials > 8:
            continue
        seen.add(program.name)
        traced = jax.jit(program.function, donate_argnums=program.donated).trace(*program.arguments)
        for platform in ("cuda", "tpu"):
            text = traced.lower(lowering_platforms=(platform,)).as_text()
            assert "callback" not in text
            assert "f64" not in text
    assert {"start", "epoch", "evaluate", "lr_finder", "predict", "ensemble"} <= seen
    assert ("mc_dropout" in seen) == ("dropout" in name)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_the_epoch_of_every_network_lowers_for_gpus_and_tpus(name: str) -> None:
    (epoch,) = (found for found in programs(*small(*KERNELS[name])) if (found.name, found.trials) == ("epoch", 1))
    traced = jax.jit(epoch.function, donate_argnums=epoch.donated).trace(*epoch.arguments)
    for platform in ("cuda", "tpu"):
        assert "callback" not in traced.lower(lowering_platforms=(platform,)).as_text()


def test_the_operations_of_a_step_are_those_of_its_products() -> None:
    config, data = small(*KERNELS["selu"])
    forward = 3_072 * 100 + 19 * 100 * 100 + 100 * 10
    assert step_operations(config, data) == 2 * 32 * (3 * forward - 3_072 * 100)


def test_the_operations_of_a_prediction_are_those_of_its_products() -> None:
    found = {program.name: program for program in programs(*small(*KERNELS["alpha_dropout"]))}
    last = 100 * 10  # the only dropout is before it
    before = 3_072 * 100 + 19 * 100 * 100
    assert found["predict"].operations == 2 * PREDICTED * (before + last)
    assert found["ensemble"].operations == MEMBERS * 2 * PREDICTED * (before + last)
    assert found["mc_dropout"].operations == 2 * PREDICTED * (before + SAMPLES * last)


def test_the_compiled_ensemble_gives_what_ensemble_gives() -> None:
    run = trained_run()
    rows = run.data.test.own_images
    weights = [run.params, jax.tree.map(lambda leaf: 0.5 * leaf, run.params)]
    config = run.config.static()
    expected = ensemble([np.asarray(probabilities(config, each, run.batch_stats, run.data, rows)) for each in weights])
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *weights)
    statistics = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), run.batch_stats)
    found = ensemble_of_networks(config)(stacked, statistics, run.data, rows)
    for name in ("mean", "std", "entropy", "mutual_information"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-6)


def test_a_program_that_a_compiler_refuses_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(rows: jax.Array) -> jax.Array:
        raise jax.errors.JaxRuntimeError("INTERNAL: no such operation\nand a stack")

    rows = jax.ShapeDtypeStruct((4, 4), np.float32)
    subjects = [
        compilers.Subject("start", 1, None, lambda rows: rows @ rows, (rows,), operations=2 * 4**3),
        compilers.Subject("evaluate", 8, None, refused, (rows,)),
    ]
    monkeypatch.setattr(compilers, "programs", lambda config, data: iter(subjects))
    monkeypatch.setattr(compilers, "described", lambda target: jax.devices())
    found = compilers.measured(replace(TARGETS["h100"], platform="cpu"), *KERNELS["selu"])
    (start,) = found["programs"]
    assert (start["program"], start["bytes"], start["operations"]) == ("start", 2 * 64, 128)
    assert start["collectives"] == 0
    assert found["left_out"] == {"evaluate of 8": "INTERNAL: no such operation"}


def test_an_entry_has_a_row_for_each_program_and_a_model_of_the_step() -> None:
    assumed = {"latency_us": 2.0, "bandwidth": 1e12, "peak": 1e13, "source": "nobody"}
    own = {"trials": 1, "kernels": 1_000, "temporaries": 2_000_000, "compile_seconds": 1.25}
    epoch = {
        **own,
        "program": "epoch",
        "kernels_a_step": 10,
        "fusions_a_step": 8,
        "step_bytes": 4_000_000,
        "step_operations": 10_000_000,
    }
    start = {**own, "program": "start", "kernels_a_step": None, "fusions_a_step": None}
    entry = {"config": "selu", "target": "NVIDIA H100", "assumed": assumed, "programs": [start, epoch]}
    assert "compiled and not run" in kernels.title(entry)
    header, first, second = kernels.table(json.loads(json.dumps(entry)))
    assert header[0] == "program"
    assert first == ("start", "1", "-", "-", "1,000", "-", "-", "2.0", "1.2", "-")  # an early entry, without its bytes
    assert second == ("epoch", "1", "10", "8", "1,000", "4.0", "10.0", "2.0", "1.2", "24")
    predict = {**start, "program": "predict", "bytes": 5_000_000, "operations": 2_000_000_000}
    assert kernels.table({**entry, "programs": [predict]})[1][5:7] == ("5.0", "2,000.0")


@pytest.mark.skipif(bool(installed()), reason="a compiler of an accelerator is installed")
def test_without_a_compiler_the_extras_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="bench-cuda, bench-tpu"):
        kernels.run(parse(list(QUESTIONS), ["kernels"], dict))
    kernels.run(parse(list(QUESTIONS), ["kernels", "memory"], dict))
    assert "kernels is left out" in capsys.readouterr().err
    assert {target.platform for target in TARGETS.values()} == {"cuda", "tpu"}
