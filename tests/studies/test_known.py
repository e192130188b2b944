"""A folder that a study cannot read: what it holds, what it looks like, and where to read on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from studies.mfm_study.data_advice import ADVICE, advice

ROOT = Path(__file__).parent.parent.parent


def write_labels(folder: Path, *shape: int) -> Path:
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / "y_train.h5", "w") as file:
        file["d1"] = np.zeros(shape)
    return folder


@pytest.mark.parametrize(
    ("shape", "name", "script"),
    [
        ((6, 17), "POM", "pom_ablation"),
        ((6, 3), "YouTube", "youtube_ablation"),
        ((6, 2), "MOUD", "moud_ablation"),
        ((6,), "ICT-MMMO", "mmmo_ablation"),
    ],
)
def test_the_width_of_labels_tells_the_folders_of_h5_files_apart(shape, name, script, tmp_path: Path) -> None:
    told = advice(write_labels(tmp_path, *shape), name="CMU-MOSI")
    assert told == f"It looks like {name}, which studies/{script}.py reads. {ADVICE}"
    assert (ROOT / "studies" / f"{script}.py").exists()


@pytest.mark.parametrize(
    ("file", "name"), [("iemocap_data.pkl", "IEMOCAP"), ("text_dict.p", "MOUD"), ("words.csd", "CMU-MOSI")]
)
def test_names_of_files_tell_the_other_forms(file: str, name: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text("")
    assert advice(tmp_path, name="POM").startswith(f"It looks like {name}, which studies/")


def test_a_broken_folder_of_the_right_data_set_is_not_told_what_it_looks_like(tmp_path: Path) -> None:
    assert advice(write_labels(tmp_path, 6, 17), name="POM") == ADVICE
    (tmp_path / "iemocap_data.pkl").write_text("")
    assert advice(tmp_path, name="IEMOCAP (happy)") == ADVICE


def test_of_a_folder_of_folders_those_with_data_are_named(tmp_path: Path) -> None:
    write_labels(tmp_path / "b", 6, 17)
    (tmp_path / "a").mkdir()
    assert advice(tmp_path, name="CMU-MOSI") == f"Name one of its folders: b (POM). {ADVICE}"


def test_an_unknown_folder_or_file_is_told_where_to_read_on(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    assert advice(tmp_path, name="CMU-MOSI") == advice(tmp_path / "notes.txt", name="CMU-MOSI") == ADVICE


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("mosi_ablation", "must hold CMU-MOSI as an .npz"),
        ("youtube_ablation", "must hold YouTube as the .h5 files"),
        ("iemocap_ablation", "must hold IEMOCAP as one pickle"),
    ],
)
def test_a_study_says_in_one_line_what_was_found_and_what_is_expected(script, expected, tmp_path: Path) -> None:
    for number in range(15):
        (tmp_path / f"clip_{number:02d}.wav").write_text("")
    command = [sys.executable, f"studies/{script}.py", "--plan", "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "'clip_11.wav'] and 3 more" in done.stderr
    assert done.stderr.rstrip().endswith(ADVICE)
    assert done.stderr.count("\n") == 1
