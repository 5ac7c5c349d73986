"""The wheel, built and installed into an empty environment, holds jaxdeep alone and trains."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from jaxdeep.version import __version__

pytest.importorskip("build")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
ALONE = {"jaxdeep", f"jaxdeep-{__version__}.dist-info"}
LIMIT_BYTES = 2_000_000
PACKAGED = ("jaxdeep", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
OTHERS = ("experiments", "bench", "docs", "tests")
SCRIPT = """
import numpy as np
from jaxdeep.config import Config, Data, Model, Train
from jaxdeep.data.dataset import Dataset
from jaxdeep.train.fit import fit

rng = np.random.default_rng(0)
x = rng.normal(size=(200, 5))
config = Config(Data(valid_size=50), Model(units=(8, 8)), train=Train(batch_size=32, epochs=3))
data = Dataset.from_arrays(x[:150], x[:150, 0] > 0, x[150:], x[150:, 0] > 0, data=config.data)
run = fit(config, data)
print(run.test_accuracy, run.predict(x[150:]).shape)
"""


def checked(*command: str | Path, cwd: Path) -> str:
    """Return what a command prints on stdout; one that fails shows what it said."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ended = subprocess.run(list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{command}:\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """Paths of the source distribution and of the wheel, which is built from it."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for path in ROOT.iterdir():  # a copy, so that no build folder is left in the repository
        if path.name in (*PACKAGED, *OTHERS, "constraints.txt"):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, source / path.name)
    checked(sys.executable, "-m", "build", "--outdir", dist, source, cwd=source)
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    return sdist, wheel


def test_the_wheel_holds_jaxdeep_alone(built) -> None:
    names = zipfile.ZipFile(built[1]).namelist()
    assert {name.split("/")[0] for name in names} == ALONE
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "jaxdeep").rglob("*.py")} | {"jaxdeep/py.typed"}
    assert sources | {f"jaxdeep/report/page/{name}" for name in ("style.css", "script.js")} <= set(names)


def test_the_source_distribution_holds_what_a_build_needs_and_no_records(built) -> None:
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "jaxdeep/version.py", "jaxdeep/py.typed"} <= names
    assert not {name for name in names if name.startswith(OTHERS)}
    assert built[0].stat().st_size < LIMIT_BYTES


def test_it_is_installed_into_an_empty_environment_and_trains(built, tmp_path) -> None:
    """The versions are those that this suite runs on, and nothing of the repository is on the path."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    constraints = tmp_path / "constraints.txt"
    here = {found.name: found.version for found in importlib.metadata.distributions() if found.name != "jaxdeep"}
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in here.items()))
    checked(*pip, "install", "--quiet", "--constraint", constraints, built[1], cwd=tmp_path)
    shown = checked(*pip, "show", "-f", "jaxdeep", cwd=tmp_path)
    files = [line.strip() for line in shown.partition("Files:\n")[2].splitlines()]
    assert files
    assert {file.split("/")[0] for file in files if not file.endswith("/bin/jaxdeep")} == ALONE
    accuracy, shape = checked(python, "-I", "-c", SCRIPT, cwd=tmp_path).split(maxsplit=1)
    assert 0 <= float(accuracy) <= 1
    assert shape.strip() == "(50, 2)"
    for name in OTHERS:
        found = f"import importlib.util as u; print(u.find_spec('{name}'))"
        assert checked(python, "-I", "-c", found, cwd=tmp_path) == "None\n"
