"""The judge of a stream: its error rate, what it refuses, and that it remembers whatever happens."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from judge import judged, stream
from simulation import normal

from analysis import Judge
from analysis.command.main import main
from analysis.judge import stream_file
from analysis.judge.rule import Rule

PAGE = (Path(__file__).parents[2] / "docs" / "judge.md").read_text()
LOOP = """
import sys, numpy as np
from analysis import Judge
judge = Judge(sys.argv[1], reference="base", minimise="loss")
def train(name, seed):
    rng = np.random.default_rng([seed, *name.encode()])
    return 1 - (0.4 if name in ("p7", "p19") else 0) - 0.4 * (name == "p19") + 0.1 * rng.normal()
for i in range(30):
    judge.decide(f"p{i}", train)
print(judge.decided, judge.reference)
"""


def value(name: str, seed: int, gain: float = 0.0) -> float:
    return 1 - gain + 0.1 * float(np.random.default_rng([seed, *name.encode()]).normal())


def begun(path: Path, **how: object) -> Judge:
    judge = Judge(path, reference="base", minimise="loss", **how)
    for seed in judge.ask("base").seeds:
        judge.hear("base", seed, value("base", seed))
    return judge


def test_what_is_worth_it_is_kept_and_becomes_the_reference(tmp_path: Path) -> None:
    judge = begun(tmp_path / "stream.jsonl")
    gains = {"worse": -0.2, "same": 0.0, "better": 0.4}
    words = {name: judge.decide(name, lambda who, seed: value(who, seed, gains.get(who, 0.0))).word for name in gains}
    assert words == {"worse": "discard", "same": "discard", "better": "keep"}
    assert judge.reference == "better"
    assert judge.decide("as good", lambda who, seed: value(who, seed, 0.4)).word == "discard"


def test_a_metric_may_be_maximised_and_a_margin_asked_for(tmp_path: Path) -> None:
    judge = Judge(tmp_path / "a.jsonl", reference="base", maximise="accuracy")
    gains = {"base": 0.0, "better": -0.4}
    assert judge.decide("better", lambda who, seed: value(who, seed, gains[who])).word == "keep"
    strict = begun(tmp_path / "b.jsonl", margin=0.5)
    assert strict.decide("better", lambda who, seed: value(who, seed, 0.4 * (who == "better"))).word == "discard"


def test_levels_of_an_endless_stream_add_up_to_the_rate() -> None:
    rule = Rule()
    assert sum(rule.level(j) for j in range(1, 100_000)) == pytest.approx(0.05, abs=1e-6)
    assert sum(look.weight for look in rule.test) == pytest.approx(1)
    assert not set(rule.screen_seeds) & set(rule.test_seeds)


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_false_keeps_are_rare_and_true_ones_are_not(shared: float) -> None:
    """As benchmarks/judge.py, smaller: 60 streams of 300 proposals; bounds with three standard errors."""
    rng = np.random.default_rng(0)
    null = np.array([stream(rng, 300, noise=normal, shared=shared, effect=0.0) for _ in range(60)], dtype=float)
    assert (null[:, 0] > 0).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)
    assert (null[:, 3] / 300).mean() <= 3.1
    assert null[:, 4].mean() > 3, "what keeps every better one keeps luck"
    some = np.array([stream(rng, 300, noise=normal, shared=shared, effect=2.0) for _ in range(60)], dtype=float)
    assert some[:, 1].sum() / some[:, 2].sum() >= 0.8 - 3 * math.sqrt(0.8 * 0.2 / some[:, 2].sum())


def test_the_simulation_says_what_the_judge_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    seeds = [*Rule().screen_seeds, *Rule().test_seeds]
    reference = rng.normal(size=len(seeds))
    reference = 1.0 * (reference - reference[:5].mean()) / reference[:5].std(ddof=1)  # so that its spread is 1
    judge = Judge(tmp_path / "stream.jsonl", reference="base", maximise="score")
    for effect in (0.0, 1.0, 2.0, 3.0):
        own = {seed: float(effect + rng.normal()) for seed in seeds}
        better = np.array([own[seed] - reference[seed] for seed in seeds])
        fresh = Judge(tmp_path / f"{effect}.jsonl", reference="base", maximise="score")
        word = fresh.decide("x", lambda who, seed, own=own: own[seed] if who == "x" else float(reference[seed])).word
        assert word == judged(better, 1, spread=1.0)[0]
    assert judge.decided == {}


@pytest.mark.parametrize(
    ("heard", "refused", "words"),
    [
        ([], ("x", 9, 1.0), r"asked for, of x now: 0; got 9. Chosen seeds prove nothing"),
        ([("x", 0, 0.5)], ("x", 0, 0.5), r"has a run with seed 0 already"),
        ([("x", 0, 9.0)], ("x", 1, 0.5), r"x was judged: discard. A proposal is judged once"),
        ([], ("base", 5, math.nan), r"the reference must have a result with every seed"),
        ([], ("base", 2, 0.9), r"base has a run with seed 2 already"),
    ],
)
def test_what_cannot_be_judged_is_refused_and_nothing_is_written(
    heard: list[tuple[str, int, float]], refused: tuple[str, int, float], words: str, tmp_path: Path
) -> None:
    judge = begun(tmp_path / "stream.jsonl")
    for run in heard:
        judge.hear(*run)
    before = (tmp_path / "stream.jsonl").read_bytes()
    with pytest.raises(ValueError, match=words):
        judge.hear(*refused)
    with pytest.raises(ValueError, match="evaluation must stay what it was, None; got 'other'"):
        judge.hear("y", 0, 0.5, evaluation="other")
    assert (tmp_path / "stream.jsonl").read_bytes() == before


def test_a_failed_run_discards_its_proposal(tmp_path: Path) -> None:
    judge = begun(tmp_path / "stream.jsonl")
    assert judge.hear("x", 0, math.inf).word == "discard"
    assert judge.ask("x").because == "a run failed"


@pytest.mark.parametrize(
    "how", [{"maximise": "loss"}, {"minimise": "error"}, {"reference": "other", "minimise": "loss"}, {"margin": 0.1}]
)
def test_another_question_is_another_stream(tmp_path: Path, how: dict[str, object]) -> None:
    begun(tmp_path / "stream.jsonl")
    with pytest.raises(ValueError, match="Another question is another stream"):
        Judge(tmp_path / "stream.jsonl", **how)  # type: ignore[arg-type]


def test_a_changed_byte_of_the_file_is_noticed_and_a_torn_line_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "stream.jsonl"
    judge = begun(path)
    judge.hear("x", 0, 0.5)
    whole = path.read_bytes()
    for at in np.random.default_rng(0).integers(0, len(whole) - 1, 60):
        if whole[at : at + 1] != b" ":
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(ValueError, match=r"must be"):
                judge.ask("x")
    path.write_bytes(whole + b'{"kind": "run", "na')
    assert judge.ask("x").seeds == (1,)
    judge.hear("x", 1, 0.5)
    assert path.read_bytes().startswith(whole + b'{"kind": "run", "name": "x", "seed": 1')


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    judge = begun(tmp_path / "stream.jsonl")
    with stream_file.writing(tmp_path / "stream.jsonl"), pytest.raises(ValueError, match="must have one writer"):
        judge.hear("x", 0, 0.5)


def test_kills_at_any_moment_change_no_word(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(LOOP)
    whole = subprocess.run(
        [sys.executable, "loop.py", "whole.jsonl"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    rng, path = np.random.default_rng(0), tmp_path / "cut.jsonl"
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "loop.py", path.name], cwd=tmp_path, stdout=subprocess.DEVNULL)
        wanted = len(_lines(path)) + rng.integers(1, 12)
        while process.poll() is None and len(_lines(path)) < wanted:
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    end = [sys.executable, "loop.py", path.name]
    told = subprocess.run(end, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert told == whole
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.exists() else []


def test_the_loop_of_the_page_finds_the_width_and_its_commands_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    assert len([line for line in loop.splitlines() if line.strip()]) <= 20
    (tmp_path / "loop.py").write_text(loop)
    told = subprocess.run([sys.executable, "loop.py"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert re.search(r"now: \{'width': (np\.float64\()?[45]\.0", told)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stream.jsonl").unlink()
    for words in re.findall(r"^    python -m analysis judge (.*)$", PAGE, re.MULTILINE):
        assert main(["judge", *words.split()]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["word"] == "more"
    assert main(["judge", "stream.jsonl", "--proposal", "wider", "--run", "0=.80"]) == 2
