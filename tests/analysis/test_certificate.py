"""A certificate: what it holds, and that changes are noticed."""

from __future__ import annotations

import copy
import json
import math
import random
import shutil
from collections.abc import Callable, Iterator
from math import comb
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from analysis.certificate.certificate import SUM, certify, check, checksum
from analysis.command.main import main
from orchestrator.command.drawn_runs import drawn, most_false

Values = dict[str, Any]


@pytest.fixture(scope="module")
def folder(mosi_folder: Path) -> Path:
    return mosi_folder


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Values:
    return json.loads(json.dumps(certify(folder)))


def places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every cell, and every list or object of several, whose order could be changed."""
    if isinstance(values, dict | list) and len(values) > 1:
        yield path
    if isinstance(values, dict):
        for key, value in values.items():
            yield from places(value, (*path, key))
    elif isinstance(values, list):
        for i, value in enumerate(values):
            yield from places(value, (*path, i))
    else:
        yield path


def changed(values: Values, path: tuple[Any, ...], rng: random.Random) -> Values:
    """With one change at a place: another value of a cell, or another order."""
    result = copy.deepcopy(values)
    holder = result
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]] if path else result
    if isinstance(old, dict):
        keys = list(old)
        new: Any = {key: old[key] for key in [keys[-1], *keys[:-1]]}
    elif isinstance(old, list):
        new = [old[-1], *old[:-1]] if old[-1] != old[0] else old[1:]
    elif isinstance(old, bool) or old is None:
        new = not old
    elif isinstance(old, int | float):
        new = old + rng.choice([1, -1, 0.001])
    else:
        new = f"{old}x"
    if not path:
        return new
    holder[path[-1]] = new
    return result


def test_it_is_small_and_holds_and_its_verdicts_are_the_reports(certificate: Values, folder: Path) -> None:
    found = check(certificate, folder)
    assert found.problems == ()
    assert len(json.dumps(certificate)) < 2000 * len(certificate["rows"])
    assert set(certificate["verdicts"]["arms"]) == set(certificate["study"]["arms"]) - {"full"}


def test_a_thousand_random_single_changes_are_all_noticed(certificate: Values) -> None:
    rng = random.Random(0)
    every = [path for path in places(certificate) if path]
    chosen = [rng.choice(every) for _ in range(1000)]
    body = {name: value for name, value in certificate.items() if name != SUM}
    for path in chosen:
        spoilt = changed(certificate, path, rng)
        own = {name: value for name, value in spoilt.items() if name != SUM}
        assert checksum(own) != spoilt[SUM] or own == body, path
    for path in chosen[:5]:  # as the check itself says it
        try:
            assert check(changed(certificate, path, rng)).problems, path
        except ValueError:
            continue  # it is no certificate any more


def _cell(values: Values, rng: random.Random) -> None:
    row = rng.choice([row for row in values["rows"] if row[-1] is not None])
    row[-1] += 0.01


def _seed(values: Values, rng: random.Random) -> None:
    row = rng.choice([row for row in values["rows"] if row[-1] is not None])
    row[values["columns"].index("seed")] += 100


def _arm(values: Values, rng: random.Random) -> None:
    arm = rng.choice([arm for arm in values["study"]["arms"] if arm != "full"])
    values["rows"] = [row for row in values["rows"] if row[values["columns"].index("arm")] != arm]


def _margin(values: Values, rng: random.Random) -> None:
    values["study"]["smallest_effect"] *= rng.choice([0.5, 2])


def _word(values: Values, rng: random.Random) -> None:
    own = rng.choice(list(values["verdicts"]["arms"].values()))
    own["verdict"] = rng.choice(
        [word for word in ("worse", "better", "equivalent", "undecided") if word != own["verdict"]]
    )


@pytest.mark.parametrize("spoil", [_cell, _seed, _arm, _margin, _word])
def test_a_change_with_a_checksum_of_its_own_is_noticed_by_what_follows(
    certificate: Values, spoil: Callable[[Values, random.Random], None]
) -> None:
    for seed in range(4):
        values = copy.deepcopy(certificate)
        spoil(values, random.Random(seed))
        values[SUM] = checksum({name: value for name, value in values.items() if name != SUM})
        problems = check(values).problems
        assert problems
        assert not any("checksum" in problem for problem in problems)


def test_changed_results_are_noticed_beside_it(certificate: Values, folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "results"
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("report"))
    part = next((copied / "items").glob("*.parquet"))
    part.write_bytes(part.read_bytes() + b"x")
    (copied / "runs" / "part-999999.parquet").write_bytes(b"")
    problems = check(certificate, copied).problems
    assert any(problem.startswith("were changed: items/") for problem in problems)
    assert any(problem.startswith("are new: runs/part-999999.parquet") for problem in problems)


def test_the_commands_write_and_check_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["certify", str(folder), "--out", "c.json"]) == 0
    assert main(["certify", "--check", "c.json"]) == 0
    assert "holds: every verdict follows from its rows" in capsys.readouterr().out
    text = Path("c.json").read_text()
    Path("c.json").write_text(text.replace('"full"', '"all"', 1))
    assert main(["certify", "--check", "c.json"]) in (1, 2)
    Path("c.json").write_text(text[:100])
    assert main(["certify", "--check", "c.json"]) == 2
    Path("c.json").write_text("{}")
    assert main(["certify", "--check", "c.json"]) == 2


def test_what_was_verified_counts_for_the_runs_that_were_there(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "results"
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("report"))
    total = sum(
        pq.read_table(part, columns=["status"])["status"].to_pylist().count("completed")
        for part in copied.glob("runs/*")
    )
    known = {"completed": total, "word": "", "drawn": {"a": 0.0}, "clean": 1, "tolerance": 0.0, "most_false": 9}
    (copied / "verified.json").write_text(json.dumps(known))
    assert any("1 of 1 runs, drawn by the rows," in fact for fact in check(certify(copied)).facts)
    (copied / "verified.json").write_text(json.dumps(known | {"completed": total - 1}))
    assert any("no run was trained again" in fact for fact in check(certify(copied)).facts)


def test_the_bound_is_that_of_drawing_without_return() -> None:
    for total, clean in ((41, 3), (41, 20), (1000, 60), (5, 5), (10, 1)):
        worst = most_false(total, clean)

        def chance(false: int, total: int = total, clean: int = clean) -> float:
            return comb(total - false, clean) / comb(total, clean)

        assert chance(worst) >= 0.05
        assert worst == total - clean or chance(worst + 1) < 0.05
    assert (most_false(41, 3), most_false(41, 20), most_false(7, 7)) == (25, 4, 0)


def test_what_is_drawn_hangs_on_every_row_and_on_nothing_else() -> None:
    rows = [{"run_id": str(i), "metric:loss": float(i)} for i in range(50)]
    again = [dict(row) for row in rows]
    assert drawn(rows, 5) == drawn(again, 5)
    assert drawn(rows, 5) != drawn(again, 5, word="a reviewer's")
    again[7]["metric:loss"] = math.nextafter(7.0, 8.0)
    assert drawn(rows, 5) != drawn(again, 5)
