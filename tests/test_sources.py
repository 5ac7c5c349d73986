"""The order of the sources, and what happens where the real images cannot be had."""

import os
from pathlib import Path

import numpy as np
import pytest
import small_files

import jaxdeep.cli.main
import jaxdeep.cli.run
import jaxdeep.run.uncertainty
from experiments.cifar import CONFIGS
from jaxdeep.data import cache, digests, fetched, prepared, sources, synthetic
from jaxdeep.data.images import SPECS
from jaxdeep.data.web import Unavailable
from jaxdeep.errors import JaxdeepWarning, UserError


@pytest.fixture(autouse=True)
def world(monkeypatch, tmp_path):
    """No environment, an empty cache, no network, small files that are the official ones, a quick built-in set."""
    for name in ("JAXDEEP_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JAXDEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "OFFICIAL", small_files.official())
    monkeypatch.setattr(prepared, "prepare", offline)
    monkeypatch.setattr(fetched, "fetch", offline)
    draw = synthetic.draw
    monkeypatch.setattr(synthetic, "draw", lambda *shape, train, test: draw(*shape, train=train // 500, test=20))


def offline(name, folder):
    raise Unavailable("no network today")


def online(name, folder):
    return small_files.arrays(name)


def kept(name):
    return cache.Kept(small_files.arrays(name), "tensorflow_datasets")


def forbidden(*args):
    raise AssertionError("a source was asked that comes after another that has the images")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("source", ["auto", "itself"])
def test_classic_files_come_first(monkeypatch, data, name, source):
    monkeypatch.setattr(cache, "read", forbidden)
    monkeypatch.setattr(prepared, "prepare", forbidden)
    monkeypatch.setattr(fetched, "fetch", forbidden)
    written = small_files.write(name, data, "binary" if name == "cifar10" else "idx packed")
    found = sources.load_images(name, source="auto" if source == "auto" else name, data_dir=data)
    np.testing.assert_array_equal(found.test_images, written.test_images)
    assert found[4:] == (name, "classic files", False, SPECS[name].class_names)


def test_the_environment_names_the_folder_and_the_argument_overrules_it(monkeypatch, data, tmp_path):
    small_files.write("mnist", data, "idx")
    monkeypatch.setenv("JAXDEEP_DATA", str(data))
    assert sources.load_images("mnist").source == "classic files"
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: found no files of mnist"):
        sources.load_images("mnist", data_dir=tmp_path / "empty")
    monkeypatch.setenv("JAXDEEP_DATA", "")
    assert sources.load_images("mnist").synthetic


def test_the_cache_comes_before_the_download_and_is_told_alike(monkeypatch, data):
    monkeypatch.setattr(prepared, "prepare", online)
    fresh = sources.load_images("cifar10")
    monkeypatch.setattr(prepared, "prepare", forbidden)
    monkeypatch.setattr(fetched, "fetch", forbidden)
    cached = sources.load_images("cifar10")
    assert fresh[4:] == cached[4:] == ("cifar10", "tensorflow_datasets", False, SPECS["cifar10"].class_names)
    for one, other in zip(fresh[:4], cached[:4], strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_files_by_url_come_after_tensorflow_datasets_and_are_told_apart(monkeypatch):
    monkeypatch.setattr(fetched, "fetch", online)
    fresh = sources.load_images("cifar10", source="cifar10")
    monkeypatch.setattr(prepared, "prepare", forbidden)
    monkeypatch.setattr(fetched, "fetch", forbidden)
    cached = sources.load_images("cifar10")
    assert fresh[4:] == cached[4:] == ("cifar10", "download by URL", False, SPECS["cifar10"].class_names)


def test_a_damaged_cache_is_made_again(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(prepared, "prepare", online)
    fresh = sources.load_images("cifar10")
    path = tmp_path / "cache" / "cifar10.arrays"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    again = sources.load_images("cifar10")
    assert "damaged" in caplog.text
    np.testing.assert_array_equal(again.train_images, fresh.train_images)
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_stops_nothing(monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JAXDEEP_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(prepared, "prepare", online)
    assert sources.load_images("mnist", source="mnist").source == "tensorflow_datasets"
    assert len(caplog.records) <= 2


@pytest.mark.parametrize("name", SPECS)
def test_auto_offline_takes_the_built_in_set_and_says_so(monkeypatch, name, data, capsys, caplog):
    monkeypatch.setenv("JAXDEEP_DATA", str(data))
    with pytest.warns(JaxdeepWarning, match=f"^JAXDEEP_DATA {data}: found no files of {name}. The folder .* nothing"):
        found = sources.load_images(name)
    assert found.name == f"synthetic_{name}"
    assert found.source == "built-in synthetic"
    assert found.synthetic
    assert found.train_images.shape[1:] == SPECS[name].image_shape
    assert len(found.class_names) == 10
    assert capsys.readouterr() == ("", "")  # whoever has set up no logging sees it on stderr
    for words in (f"THIS IS NOT {name.upper()}", "synthetic", "no network today", str(data), "--data-dir"):
        assert words in caplog.text
    assert caplog.text.count("\n") > 5
    assert sources.load_images(name, source="synthetic").name == found.name


@pytest.mark.parametrize("name", SPECS)
def test_a_data_set_asked_for_by_name_never_falls_back(monkeypatch, name, data):
    with pytest.raises(UserError, match=f"{name}: no --data-dir .*no network today") as caught:
        sources.load_images(name, source=name)
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("JAXDEEP_DATA", str(data))
    with (
        pytest.raises(UserError, match=f"{name}: no classic files of it in {data}, and .*no network today"),
        pytest.warns(JaxdeepWarning, match="found no files"),
    ):
        sources.load_images(name, source=name)


def test_the_built_in_set_is_taken_without_looking_further(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cache, "read", forbidden)
    monkeypatch.setattr(prepared, "prepare", forbidden)
    monkeypatch.setattr(fetched, "fetch", forbidden)
    assert sources.load_images("cifar10", source="synthetic", data_dir=tmp_path / "absent").synthetic
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("source", ["auto", "itself"])
def test_a_folder_that_is_given_is_the_only_place_looked_in(monkeypatch, data, tmp_path, name, source):
    cache.write(name, kept(name))
    small_files.write(name, tmp_path, "python" if name == "cifar10" else "idx")
    monkeypatch.setenv("JAXDEEP_DATA", str(tmp_path))
    monkeypatch.setattr(cache, "read", forbidden)
    monkeypatch.setattr(prepared, "prepare", forbidden)
    monkeypatch.setattr(fetched, "fetch", forbidden)
    monkeypatch.setattr(synthetic, "draw", forbidden)
    (data / "notes.txt").touch()
    with pytest.raises(UserError, match=rf"{data}: found no files of {name}\. The folder holds notes\.txt\. Give"):
        sources.load_images(name, source="auto" if source == "auto" else name, data_dir=data)


def test_a_folder_of_the_environment_without_the_set_is_told_and_the_cache_serves(monkeypatch, data):
    monkeypatch.setenv("JAXDEEP_DATA", str(data))
    for file, content in small_files.parts("fashion_mnist", "idx").items():
        (data / file).write_bytes(content)
    cache.write("mnist", kept("mnist"))
    with pytest.warns(JaxdeepWarning, match=rf"^JAXDEEP_DATA {data}: found the files of fashion_mnist, none of mnist"):
        found = sources.load_images("mnist")
    assert found.source == "tensorflow_datasets"
    np.testing.assert_array_equal(found.test_images, small_files.arrays("mnist").test_images)
    assert sources.load_images("fashion_mnist").source == "classic files"


def test_other_images_that_the_folder_lacks_are_left_out_of_an_uncertainty_study(monkeypatch, data):
    monkeypatch.setattr(cache, "read", forbidden)
    monkeypatch.setattr(prepared, "prepare", forbidden)
    monkeypatch.setattr(fetched, "fetch", forbidden)
    small_files.write("mnist", data, "idx")
    others = {name: jaxdeep.run.uncertainty._test_images(name, data) for name in SPECS}
    np.testing.assert_array_equal(others["mnist"], small_files.arrays("mnist").test_images)
    for name in ("cifar10", "fashion_mnist"):
        assert isinstance(others[name], UserError)
        assert f"found no files of {name}. The folder holds mnist" in str(others[name])


def test_the_home_folder_may_be_written_short(monkeypatch, data):
    small_files.write("mnist", data, "idx packed")
    monkeypatch.setenv("HOME", str(data.parent))
    assert sources.load_images("mnist", data_dir=Path("~/data")).source == "classic files"
    monkeypatch.setenv("JAXDEEP_DATA", "~/data")
    assert sources.load_images("mnist").source == "classic files"
    with pytest.raises(UserError, match="--data-dir ~nobody-of-this-name/data: found nothing there"):
        sources.load_images("mnist", data_dir=Path("~nobody-of-this-name/data"))


@pytest.mark.parametrize("source", ["auto", "cifar10"])
def test_a_command_whose_folder_lacks_the_set_ends_in_one_line(monkeypatch, data, capsys, source):
    monkeypatch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
    monkeypatch.setattr(synthetic, "draw", forbidden)
    monkeypatch.chdir(data)
    argv = ["--config", "selu", "--data-dir", str(data), "--data", source, "--workdir", "out"]
    assert jaxdeep.cli.main.main("cifar", "cifar10", CONFIGS, argv) == 2
    assert f"{data}: found no files of cifar10" in capsys.readouterr().err
    assert list(data.iterdir()) == []


def test_a_damaged_classic_file_is_an_error_not_a_reason_to_go_on(monkeypatch, data):
    monkeypatch.setattr(cache, "read", forbidden)
    small_files.write("cifar10", data, "binary packed")
    (data / "cifar-10-binary.tar.gz").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"cifar-10-binary\.tar\.gz: found 7 bytes"):
        sources.load_images("cifar10", data_dir=data)
    monkeypatch.setenv("JAXDEEP_DATA", str(data))
    with pytest.raises(UserError, match=r"cifar-10-binary\.tar\.gz: found 7 bytes"):
        sources.load_images("cifar10")


def test_a_folder_that_does_not_exist_is_an_error(monkeypatch, tmp_path):
    absent = tmp_path / "absent"
    with pytest.raises(UserError, match=f"--data-dir {absent}: found nothing there. Give a folder"):
        sources.load_images("cifar10", data_dir=absent)
    monkeypatch.setenv("JAXDEEP_DATA", str(absent))
    with pytest.raises(UserError, match=f"JAXDEEP_DATA {absent}: found nothing"):
        sources.load_images("cifar10")
    absent.write_text("a file")
    with pytest.raises(UserError, match="found a file"):
        sources.load_images("cifar10")


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UserError, match=r"'cifar-10' is not known \(nearest: cifar10\)\. Give one of cifar10, "):
        sources.load_images("cifar-10")
    with pytest.raises(
        UserError, match=r"'synthtic' is not known \(nearest: synthetic\)\. Give one of auto, mnist, synthetic\."
    ):
        sources.load_images("mnist", source="synthtic")
    with pytest.raises(UserError, match=r"'cifar10' is not known.*\. Give one of auto, mnist"):
        sources.load_images("mnist", source="cifar10")


def test_a_machine_path_is_in_no_field(data):
    small_files.write("mnist", data, "idx")
    found = sources.load_images("mnist", data_dir=data)
    assert os.sep not in found.source + found.name
