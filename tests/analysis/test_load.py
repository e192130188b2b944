"""Reading a results folder, at any moment of a study, and saying what is wrong with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from results_folders import SMALL, Recipe, schema_of, study_json, write_results, write_table

from analysis.results.load import load


@pytest.fixture
def folder(small_folder: Path, tmp_path: Path) -> Path:
    """A copy of a results folder, to be damaged."""
    return Path(shutil.copytree(small_folder, tmp_path / "results"))


def declare(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    declared = json.loads((folder / "study.json").read_text())
    change(declared)
    (folder / "study.json").write_text(json.dumps(declared))


def add_runs(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Publishes one more part of runs."""
    table = pa.Table.from_pylist(rows, schema=schema_of("runs", SMALL))
    pq.write_table(table, folder / "runs" / "part-000099.parquet")


def test_all_parts_of_all_tables_are_read(mosi_folder: Path) -> None:
    results = load(mosi_folder)
    assert len(results.search) == 13 * 40
    assert len(results.confirm) == 13 * 12
    assert set(results.epochs.columns) == {"run_id", "epoch", "valid_mae"}
    assert results.items["run_id"].nunique() == 13 * 12 - 5
    assert results.test_metrics == ["test_mae", "test_corr", "test_acc2"]


def test_a_folder_that_is_missing_or_of_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must be a folder; .* is none"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"must hold the study.json .* there is none"):
        load(tmp_path)
    (tmp_path / "study.json").write_text(json.dumps(study_json(Recipe(trials=0), pd.DataFrame())))
    with pytest.raises(ValueError, match="a results folder holds a folder runs/"):
        load(tmp_path)


def test_a_declaration_that_cannot_be_used_is_told(folder: Path) -> None:
    declare(folder, lambda d: d.pop("smallest_effect"))
    with pytest.raises(ValueError, match=r"lacks \['smallest_effect'\]"):
        load(folder)
    (folder / "study.json").write_text("{")
    with pytest.raises(ValueError, match="must be readable JSON"):
        load(folder)
    (folder / "study.json").write_text("[]")
    with pytest.raises(ValueError, match="must hold one JSON object; got list"):
        load(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("reference_arm", "ful", "the reference arm must be one of the arms"),
        ("smallest_effect", -1, "must be positive; got -1"),
        ("modes", {"valid_mae": "min"}, "must say 'min' or 'max' for the primary metric 'test_mae'"),
        ("modes", {"test_mae": "down"}, "must be 'min' or 'max'; got 'down'"),
        ("space", {"lr": "?"}, "must describe a study"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_told(folder: Path, key: str, value: object, message: str) -> None:
    declare(folder, lambda d: d.update({key: value}))
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_a_damaged_part_is_named(folder: Path) -> None:
    part = folder / "epochs" / "part-000002.parquet"
    part.write_bytes(part.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"epochs.part-000002.parquet must be an undamaged Parquet part"):
        load(folder)


def test_a_flipped_bit_is_noticed(folder: Path) -> None:
    results, part = load(folder), folder / "items" / "part-000001.parquet"
    table = pq.read_table(part)
    pq.write_table(table, part, write_page_checksum=True, compression=None, use_dictionary=False)
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"items.part-000001.parquet must be an undamaged"):
        load(folder)
    assert len(results.items)


def test_a_part_without_a_column_it_must_have_is_named(folder: Path) -> None:
    for table, column in (("runs", "seed"), ("items", "group")):
        part = next(iter(sorted((folder / table).glob("*"))))
        content = pq.read_table(part)
        pq.write_table(content.drop_columns([column]), part)
        with pytest.raises(ValueError, match=f"part-000000.parquet must have the columns .* lacks .*{column}"):
            load(folder)
        pq.write_table(content, part)


def test_tables_without_rows_without_parts_or_without_a_folder_are_read(tmp_path: Path) -> None:
    folder = write_results(tmp_path, Recipe(trials=0, seeds=0))
    shutil.rmtree(folder / "items")
    for part in (folder / "epochs").glob("*"):
        part.unlink()
    results = load(folder)
    assert results.runs.empty
    assert results.search.empty
    assert results.confirm.empty
    assert results.epochs.empty
    assert results.items.empty


def test_columns_that_a_first_part_lacks_are_not_dropped(folder: Path) -> None:
    rows = pq.read_table(folder / "runs" / "part-000001.parquet").slice(0, 1)
    more = rows.append_column("metric:test_f1", pa.array([0.5]))
    pq.write_table(more, folder / "runs" / "part-000050.parquet")
    assert "metric:test_f1" in load(folder).runs


def test_only_the_last_try_of_a_run_counts(folder: Path) -> None:
    before = load(folder)
    tried = before.confirm.iloc[0]
    row = {**tried[["arm", "phase", "search", "config_id", "seed", "split"]].to_dict()}
    again = {**row, "run_id": "again", "retry": 1, "status": "failed", "error_kind": "bug", "study": "planted"}
    add_runs(folder, [again])
    after = load(folder).confirm
    assert len(after) == len(before.confirm)
    kept = after[(after["arm"] == tried["arm"]) & (after["seed"] == tried["seed"])]
    assert list(kept["run_id"]) == ["again"]


def test_only_confirm_runs_of_the_chosen_configuration_count(folder: Path) -> None:
    before = len(load(folder).confirm)
    row = {**load(folder).confirm.iloc[0][["arm", "phase", "search", "seed", "split"]].to_dict()}
    add_runs(folder, [{**row, "run_id": "old", "config_id": "not chosen any more", "retry": 0, "status": "completed"}])
    assert len(load(folder).confirm) == before
    declare(folder, lambda d: d["chosen"].pop("full"))
    assert set(load(folder).confirm["arm"]) == {"no_prior"}


def test_with_several_searches_each_has_its_own_chosen_configuration(tmp_path: Path) -> None:
    folder = write_results(tmp_path, Recipe(arms=SMALL.arms, trials=20, searches=2, seeds=6, num_items=50))
    results = load(folder)
    assert len(results.confirm) == 12
    declare(folder, lambda d: d["chosen"].update(full=list(reversed(d["chosen"]["full"]))))
    assert set(load(folder).confirm["arm"]) == {"no_prior"}


def test_arms_that_are_not_selected_do_not_enter_the_correction_unless_they_were_run(folder: Path) -> None:
    declare(folder, lambda d: d["arms"].update(other={"prior": "mmd"}))
    assert load(folder).study.others == ["no_prior", "other"]
    declare(folder, lambda d: d.update(selected=["full"]))
    assert load(folder).study.others == ["no_prior"]


def test_a_declaration_may_leave_out_what_can_be_derived(folder: Path) -> None:
    kept = (
        "study",
        "reference_arm",
        "primary_metric",
        "modes",
        "smallest_effect",
        "arms",
        "chosen",
        "space",
        "conditions",
    )
    declared = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({key: declared[key] for key in kept}))
    study = load(folder).study
    assert study.search_metric == "valid_mae"
    assert study.title == "planted"
    assert study.searches == 1


def test_a_study_that_runs_on_does_not_disturb_a_reader(folder: Path) -> None:
    count = len(load(folder).runs)
    write_table(folder / "more", load(folder).runs.head(0), schema=schema_of("runs", SMALL), parts=1)
    (folder / "more" / "part-000000.parquet").rename(folder / "runs" / "part-000051.parquet")
    assert len(load(folder).runs) == count
