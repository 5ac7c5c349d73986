"""The division of trials among processes, the cores of a process, and the flags of several processes."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.cifar import CONFIGS
from jaxdeep.cli.command import parse
from jaxdeep.cli.processes import check_processes
from jaxdeep.cli.recipe import Experiment
from jaxdeep.errors import UserError
from jaxdeep.train.cores import cores, quota_of
from jaxdeep.train.job import ALONE, current, within
from jaxdeep.train.several_processes import all_processes, dealt


@given(st.lists(st.sampled_from("abc"), max_size=60), st.lists(st.integers(1, 8), min_size=1, max_size=5))
def test_each_trial_has_one_process_and_each_process_its_part_of_every_group(groups: list, places: list) -> None:
    owners = dealt(groups, places)
    assert len(owners) == len(groups)
    for chosen in ([*range(len(groups))], *([i for i, of in enumerate(groups) if of == group] for group in "abc")):
        for process, own in enumerate(places):
            part = len(chosen) * own / sum(places)
            assert abs(sum(owners[index] == process for index in chosen) - part) <= own + 1


def test_a_process_without_others_does_all_by_itself() -> None:
    assert current() is ALONE
    with all_processes() as job:
        assert current() is job
        assert job.leads
        assert job.shares(["a", "b", "a"]) == [[0, 1, 2]]
        assert job.once(lambda: {"x": 0.1}) == {"x": 0.1}
        assert job.gather(b"abc") == [b"abc"]
        job.agree(1, "study")
        job.check()
        with within(ALONE):
            assert current() is ALONE
        error = UserError("no")
        with pytest.raises(UserError, match="no"):
            job.check_together(error)
    assert current() is ALONE


@pytest.mark.parametrize(
    ("files", "own", "cores_of_quota"),
    [
        ({"cpu.max": "max 100000"}, "0::/", None),
        ({"cpu.max": "150000 100000"}, "0::/", 1.5),
        ({"a/cpu.max": "max 100000", "a/b/cpu.max": "400000 100000"}, "0::/a/b", 4.0),
        ({"a/cpu.max": "200000 100000", "a/b/cpu.max": "400000 100000"}, "0::/a/b", 2.0),
        ({"cpu.max": "300000 100000"}, "0::/outside/of/the/container", 3.0),
        (
            {"cpu,cpuacct/x/cpu.cfs_quota_us": "50000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"},
            "4:cpu,cpuacct:/x",
            0.5,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/x\n3:memory:/y", None),
        ({"cpu.max": "nonsense"}, "0::/", None),
        ({"cpu.max": "1 0"}, "0::/", None),
        ({}, "0::/x", None),
        ({}, "", None),
    ],
)
def test_the_quota_of_control_groups_counts(files, own, cores_of_quota, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text + "\n")
    (tmp_path / "own").write_text(own)
    assert quota_of(tmp_path / "groups", tmp_path / "own") == cores_of_quota


def test_a_process_has_a_core() -> None:
    assert cores() >= 1
    assert quota_of(Path("absent"), Path("absent")) is None


GIVEN = {
    **dict.fromkeys(("coordinator", "num_processes", "process_id")),
    **dict.fromkeys(("distributed", "data_parallel", "find_lr", "summary"), False),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coordinator": "a:1"}, "--coordinator has no effect without --distributed"),
        ({"process_id": 0}, "--process-id has no effect without --distributed"),
        ({"distributed": True, "find_lr": True}, "--distributed has no effect with --find-lr or --summary"),
        ({"data_parallel": True, "summary": True}, "--data-parallel has no effect with --find-lr or --summary"),
        ({"distributed": True, "coordinator": "node"}, "Give the host and the port of process 0"),
        ({"distributed": True, "coordinator": "node:99999"}, "Give the host and the port of process 0"),
        ({"distributed": True, "num_processes": 0}, "--num-processes is 0. Give 1 or more"),
        ({"distributed": True, "num_processes": 2, "process_id": 2}, "Give a number from 0 .. 1"),
        ({"distributed": True, "process_id": -1}, "--process-id is -1"),
    ],
)
def test_flags_of_several_processes_are_checked(changes, message) -> None:
    check_processes({**GIVEN, "distributed": True, "coordinator": "node-0:9876", "num_processes": 2, "process_id": 1})
    with pytest.raises(UserError, match=message):
        check_processes({**GIVEN, **changes})


def test_the_files_for_clusters_can_be_read_and_their_flags_are_those_of_the_command() -> None:
    yaml = pytest.importorskip("yaml")
    folder = Path(__file__).parent.parent / "docs" / "scaling"
    service, job = yaml.safe_load_all((folder / "study.yaml").read_text())
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    pod = job["spec"]["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"]
    (container,) = pod["containers"]
    of_pod = [word.replace("$(JOB_COMPLETION_INDEX)", "3") for word in container["args"]]
    script = (folder / "study.sbatch").read_text()
    of_task = script.partition("experiments.cifar ")[2].replace("\\\n", " ").replace('"', "").split()
    for words in (of_pod, of_task):
        command = parse(Experiment("cifar", "cifar10", CONFIGS), words)
        assert command.distributed
        assert len(command.design.trials(command.config)) == 300
    assert command.num_processes is None
    done = subprocess.run(("bash", "-n", str(folder / "study.sbatch")), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
