"""The order of the sources, and what happens where the real images cannot be had."""

import os

import numpy as np
import pytest
import small_files

from jaxdeep.data import cache, digests, prepared, sources, synthetic
from jaxdeep.data.images import SPECS
from jaxdeep.errors import UserError


@pytest.fixture(autouse=True)
def world(monkeypatch, tmp_path):
    """No environment, an empty cache, no network, small files that pass for official ones, a quick built-in set."""
    for name in ("JAXDEEP_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JAXDEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "OFFICIAL", {})
    monkeypatch.setattr(prepared, "prepare", offline)
    draw = synthetic.draw
    monkeypatch.setattr(synthetic, "draw", lambda *shape, train, test: draw(*shape, train=train // 500, test=20))


def offline(name, folder):
    raise prepared.Unavailable("no network today")


def online(name, folder):
    return small_files.arrays(name)


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
    written = small_files.write(name, data, "binary" if name == "cifar10" else "idx packed")
    found = sources.load_images(name, source="auto" if source == "auto" else name, data_dir=data)
    np.testing.assert_array_equal(found.test_images, written.test_images)
    assert found[4:] == (name, "classic files", False, SPECS[name].class_names)


def test_the_environment_names_the_folder_and_the_argument_overrules_it(monkeypatch, data, tmp_path):
    small_files.write("mnist", data, "idx")
    monkeypatch.setenv("JAXDEEP_DATA", str(data))
    assert sources.load_images("mnist").source == "classic files"
    (tmp_path / "empty").mkdir()
    assert sources.load_images("mnist", data_dir=tmp_path / "empty").synthetic
    monkeypatch.setenv("JAXDEEP_DATA", "")
    assert sources.load_images("mnist").synthetic


def test_the_cache_comes_before_the_download_and_is_told_alike(monkeypatch, data):
    monkeypatch.setattr(prepared, "prepare", online)
    fresh = sources.load_images("cifar10", data_dir=data)
    monkeypatch.setattr(prepared, "prepare", forbidden)
    cached = sources.load_images("cifar10", data_dir=data)
    assert fresh[4:] == cached[4:] == ("cifar10", "tensorflow_datasets", False, SPECS["cifar10"].class_names)
    for one, other in zip(fresh[:4], cached[:4], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_damaged_cache_is_made_again(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(prepared, "prepare", online)
    fresh = sources.load_images("cifar10")
    path = tmp_path / "cache" / "cifar10.arrays"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    again = sources.load_images("cifar10")
    assert "damaged" in capsys.readouterr().err
    np.testing.assert_array_equal(again.train_images, fresh.train_images)
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_stops_nothing(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JAXDEEP_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(prepared, "prepare", online)
    assert sources.load_images("mnist", source="mnist").source == "tensorflow_datasets"
    assert capsys.readouterr().err.count("\n") <= 2


@pytest.mark.parametrize("name", SPECS)
def test_auto_offline_takes_the_built_in_set_and_says_so(name, data, capsys):
    found = sources.load_images(name, data_dir=data)
    assert found.name == f"synthetic_{name}"
    assert found.source == "built-in synthetic"
    assert found.synthetic
    assert found.train_images.shape[1:] == SPECS[name].image_shape
    assert len(found.class_names) == 10
    output = capsys.readouterr()
    assert output.out == ""
    for words in (f"THIS IS NOT {name.upper()}", "synthetic", "no network today", str(data), "--data-dir"):
        assert words in output.err
    assert output.err.count("\n") > 5
    assert sources.load_images(name, source="synthetic").name == found.name


@pytest.mark.parametrize("name", SPECS)
def test_a_data_set_asked_for_by_name_never_falls_back(name, data):
    with pytest.raises(UserError, match=f"{name}: .*no network today") as caught:
        sources.load_images(name, source=name, data_dir=data)
    assert "\n" not in str(caught.value)


def test_the_built_in_set_is_taken_without_looking_further(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cache, "read", forbidden)
    monkeypatch.setattr(prepared, "prepare", forbidden)
    assert sources.load_images("cifar10", source="synthetic", data_dir=tmp_path / "absent").synthetic
    assert capsys.readouterr().err == ""


def test_a_damaged_classic_file_is_an_error_not_a_reason_to_go_on(monkeypatch, data):
    monkeypatch.setattr(cache, "read", forbidden)
    small_files.write("cifar10", data, "binary packed")
    (data / "cifar-10-binary.tar.gz").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"cifar-10-binary\.tar\.gz: found 7 bytes"):
        sources.load_images("cifar10", data_dir=data)


def test_a_folder_that_does_not_exist_is_an_error(monkeypatch, tmp_path):
    absent = tmp_path / "absent"
    with pytest.raises(UserError, match=f"--data-dir {absent}: found nothing there, expected a folder"):
        sources.load_images("cifar10", data_dir=absent)
    monkeypatch.setenv("JAXDEEP_DATA", str(absent))
    with pytest.raises(UserError, match=f"JAXDEEP_DATA {absent}: found nothing"):
        sources.load_images("cifar10")
    absent.write_text("a file")
    with pytest.raises(UserError, match="found a file"):
        sources.load_images("cifar10")


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UserError, match=r"'cifar-10': expected one of cifar10, .*nearest: cifar10"):
        sources.load_images("cifar-10")
    with pytest.raises(UserError, match=r"'synthtic': expected one of auto, mnist, synthetic .*nearest: synthetic"):
        sources.load_images("mnist", source="synthtic")
    with pytest.raises(UserError, match="'cifar10': expected one of auto, mnist"):
        sources.load_images("mnist", source="cifar10")


def test_a_machine_path_is_in_no_field(data):
    small_files.write("mnist", data, "idx")
    found = sources.load_images("mnist", data_dir=data)
    assert os.sep not in found.source + found.name
