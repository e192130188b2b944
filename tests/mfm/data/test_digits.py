"""Pairs of images of digits: formed inside a fold, by digit, from a seed; and planted images whose style is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mfm.data.corpora.digits import Images, digits, paired, style_of
from mfm.data.dataset import FOLDS, Dataset
from mfm.data.planted.digits import Plan, drawn, planted_digits


def images_of(name: str, counts: Mapping[str, int], *, side: int, seed: int) -> Images:
    """Images each of which is told by the number that it has in its corner."""
    rng = np.random.default_rng(seed)
    digit = {fold: rng.integers(0, 10, count) for fold, count in counts.items()}
    values = {}
    for place, (fold, count) in enumerate(counts.items()):
        values[fold] = rng.random((count, 1, side, side)).astype(np.float32)
        values[fold][:, 0, 0, 0] = place * 10_000 + np.arange(count)
    return Images(name=name, values=values, digit=digit)


SETS = (
    images_of("first", {"train": 400, "test": 150}, side=6, seed=0),
    images_of("second", {"train": 300, "test": 200}, side=5, seed=1),
)


@pytest.fixture(scope="module")
def pairs() -> Dataset:
    return paired(SETS, seed=0)


def test_both_images_of_a_pair_show_its_digit(pairs: Dataset) -> None:
    for images, modality in zip(SETS, pairs.modalities, strict=True):
        told = modality.values[:, 0, 0, 0]
        for fold in FOLDS:
            own = pairs.fold == fold
            number = told[own] - (10_000 if fold == "test" else 0)
            part = "test" if fold == "test" else "train"
            np.testing.assert_array_equal(images.digit[part][number.astype(int)], pairs.target[own])


def test_no_image_stands_in_two_pairs_hence_none_in_two_folds(pairs: Dataset) -> None:
    for modality in pairs.modalities:
        told = modality.values[:, 0, 0, 0]
        assert len(np.unique(told)) == len(told)


def test_test_pairs_are_of_test_images_and_no_others(pairs: Dataset) -> None:
    for modality in pairs.modalities:
        assert ((modality.values[:, 0, 0, 0] >= 10_000) == (pairs.fold == "test")).all()


def test_every_digit_has_as_many_pairs_as_the_set_with_fewer_of_it(pairs: Dataset) -> None:
    for digit in range(10):
        fewer = min(int((images.digit["test"] == digit).sum()) for images in SETS)
        assert int((pairs.target[pairs.fold == "test"] == digit).sum()) == fewer


def test_the_seed_makes_the_pairs(pairs: Dataset) -> None:
    assert paired(SETS, seed=0).sha256 == pairs.sha256
    assert paired(SETS, seed=1).sha256 != pairs.sha256


def test_fewer_pairs_may_be_asked_for() -> None:
    few = paired(SETS, seed=0, most={"train": 50, "valid": 10, "test": 20})
    assert [int((few.fold == fold).sum()) for fold in FOLDS] == [50, 10, 20]


def test_style_is_measured_against_the_digit_s_mean_in_training() -> None:
    sheared = drawn(np.full(3, 8), np.array([[-1, 0, 0], [0, 0, 0], [1, 0, 0]], np.float32), side=20)[:, None]
    style = style_of(sheared, np.full(3, 8), np.array(["train", "train", "test"]))
    assert style[0, 0] > style[1, 0] > style[2, 0], "the shear is what was planted, with the other sign"
    np.testing.assert_allclose(style[:2].mean(axis=0), 0, atol=1e-6)
    thick = drawn(np.full(2, 8), np.array([[0, -1, 0], [0, 1, 0]], np.float32), side=20)[:, None]
    assert np.diff(style_of(thick, np.full(2, 8), np.array(["train", "train"]))[:, -1]) > 0


def test_a_slant_that_was_removed_is_no_style() -> None:
    styles = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    slanted, upright = drawn(np.full(20, 8), styles, side=20), drawn(np.full(20, 8), styles * [0, 1, 1], side=20)
    widths = [style_of(x[:, None], np.full(20, 8), np.full(20, "train")).shape[1] for x in (slanted, upright)]
    assert widths == [3, 2]


def write(folder: Path, name: str, images: Images) -> None:
    arrays = {}
    for fold in ("train", "test"):
        arrays[f"x_{fold}"] = (images.values[fold][:, 0] % 1 * 255).astype(np.uint8)
        arrays[f"y_{fold}"] = images.digit[fold].astype(np.uint8)
    np.savez(folder / f"{name}.npz", **arrays)


def no_mat(path: Path) -> Mapping[str, np.ndarray]:
    raise AssertionError(f"{path} is not to be read")


def test_a_folder_of_mnist_and_usps_is_read(tmp_path: Path) -> None:
    write(tmp_path, "mnist", SETS[0])
    write(tmp_path, "usps", SETS[1])
    found = digits(tmp_path, read_mat=no_mat)
    assert found.name == "mnist+usps"
    assert {m.name: m.image_shape for m in found.modalities} == {"mnist": (1, 6, 6), "usps": (1, 5, 5)}
    assert found.modalities[0].values.max() <= 1


def test_svhn_is_taken_where_its_files_are_and_a_10_is_a_zero(tmp_path: Path) -> None:
    write(tmp_path, "mnist", SETS[0])
    labels = {fold: np.arange(60)[:, None] % 10 + 1 for fold in ("train", "test")}
    pixels = np.zeros((32, 32, 3, 60), np.uint8)
    pixels[:, :, 2, :] = labels["train"].ravel()
    for fold in labels:
        (tmp_path / f"{fold}_32x32.mat").touch()
    found = digits(tmp_path, read_mat=lambda path: {"X": pixels, "y": labels[path.name.split("_")[0]]})
    svhn = found.modalities[1]
    assert svhn.name == "svhn"
    assert svhn.image_shape == (3, 32, 32)
    np.testing.assert_array_equal(np.round(svhn.values[:, 2, 0, 0] * 255).astype(int) % 10, found.target)
    assert not svhn.values[:, :2].any()


def test_a_folder_that_lacks_a_set_says_what_it_holds(tmp_path: Path) -> None:
    write(tmp_path, "mnist", SETS[0])
    with pytest.raises(ValueError, match=r"it lacks usps.npz and holds \['mnist.npz'\]"):
        digits(tmp_path, read_mat=no_mat)
    with pytest.raises(FileNotFoundError, match="there is none"):
        digits(tmp_path / "nowhere", read_mat=no_mat)


IMAGES = np.ones((100, 4, 4), np.uint8)
LABELS = np.arange(100, dtype=np.uint8) % 10
SPOILT: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "off the scale": ({"y_train": LABELS + 9}, r"mnist.npz: digits must be 0 to 9, .*; item 1 has 10"),
    "no number": ({"y_train": np.full(100, "seven")}, r"mnist.npz: digits must be 0 to 9"),
    "missing": ({"y_train": np.where(LABELS == 3, np.nan, LABELS)}, r"mnist.npz: digits must be .*; item 3 has nan"),
    "no whole number": ({"y_train": LABELS + 0.7}, r"mnist.npz: digits must be .*; item 0 has 0.7"),
    "one-hot": ({"y_train": np.eye(10)[LABELS]}, r"mnist.npz: digits must be .*\(100, 10\)"),
    "a column": ({"y_test": LABELS[:, None]}, r"mnist.npz: digits must be .*\(100, 1\)"),
    "no images": ({"x_test": IMAGES[:0], "y_test": LABELS[:0]}, r"mnist.npz: digits must be"),
    "other numbers": ({"x_test": np.zeros((100, 4, 4))}, r"mnist.npz: test images must be whole numbers of 8 bits"),
    "fewer labels": ({"y_test": LABELS[:-1]}, r"mnist.npz: test images must be .* and 99 digits"),
    "nothing shown": ({"x_test": IMAGES * 0}, r"mnist.npz: test images must show something"),
    "no digit of both": ({"y_test": np.zeros(100, int)}, r"every split must have items; test lacks them"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_no_image_of_a_digit_is_refused_in_one_line_that_says_what_to_do(tmp_path: Path, how: str) -> None:
    good = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}
    change, words = SPOILT[how]
    np.savez(tmp_path / "mnist.npz", **{**good, **change})
    np.savez(tmp_path / "usps.npz", **{**good, "y_test": LABELS % 9 + 1} if how == "no digit of both" else good)
    with pytest.raises(ValueError, match=words) as caught:
        digits(tmp_path, read_mat=no_mat)
    assert "\n" not in str(caught.value)
    assert re.search(r"[.] [A-Z][a-z]+ [^.]+$", str(caught.value)), "no remedy"


def test_planted_styles_say_nothing_of_the_digit_nor_of_each_other() -> None:
    made = planted_digits(Plan(num_items={"train": 2000, "valid": 10, "test": 10}), seed=0)
    both = np.concatenate([made.target[:, None], *made.style.values()], axis=1)
    off = np.corrcoef(both.T) - np.eye(both.shape[1])
    assert np.abs(off).max() < 0.08


def test_planted_digits_of_one_style_differ_and_a_thick_stroke_has_more_ink() -> None:
    plain = drawn(np.arange(10), np.zeros((10, 3), np.float32), side=16)
    distances = np.abs(plain[:, None] - plain[None]).sum(axis=(2, 3)) + np.eye(10) * 100
    assert distances.min() > 3
    thick = drawn(np.arange(10), np.tile([0, 1, 0], (10, 1)).astype(np.float32), side=16)
    assert (thick.sum(axis=(1, 2)) > plain.sum(axis=(1, 2))).all()
