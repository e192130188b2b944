"""What the lines of a stream add up to, and what is said of a proposal by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.formatting import count
from analysis.judge.rule import DISCARD, KEEP, MORE, Rule, Word, screened, tested

BEGIN, RUN, SAID = "begin", "run", "said"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the judge says of a proposal."""

    proposal: str
    word: str  # keep, discard, more
    because: str
    seeds: tuple[int, ...] = ()  # more: the seeds with which the proposal is to be run next
    reference: str = ""  # what it is compared with
    reference_seeds: tuple[int, ...] = ()  # more: those with which the reference is to be run first
    p: float | None = None
    level: float | None = None

    @property
    def text(self) -> str:
        """In words."""
        if self.word != MORE:
            return f"{self.word} {self.proposal}: {self.because}"
        parts = [
            f"{count(len(seeds), 'seed')} more of {name}: {' '.join(map(str, seeds))}"
            for name, seeds in ((self.reference, self.reference_seeds), (self.proposal, self.seeds))
            if seeds
        ]
        return f"{'; '.join(parts)} ({self.because})"

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "proposal": self.proposal, "word": self.word, "because": self.because, "seeds": list(self.seeds),
            "reference": self.reference, "reference_seeds": list(self.reference_seeds), "p": self.p,
            "level": self.level,
        }  # fmt: skip


@dataclass
class State:
    """What the lines of a stream add up to."""

    begin: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""
    runs: dict[str, dict[int, float]] = field(default_factory=dict)  # name -> seed -> value; nan: it failed
    order: list[str] = field(default_factory=list)  # proposals, as they were asked first
    # Proposals that have come to a test, and against which reference: another one is another test, with its own level.
    tested: list[tuple[str, str]] = field(default_factory=list)
    said: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # decided proposals

    @property
    def open(self) -> list[str]:
        """Proposals that have runs and were not judged, as they came."""
        return [name for name in self.order if name not in self.said]

    def apply(self, line: Mapping[str, Any]) -> None:
        """Adds a line."""
        if line["kind"] == BEGIN:
            self.begin, self.reference = line, line["reference"]
            self.runs[self.reference] = {}
        elif line["kind"] == RUN:
            if line["name"] not in self.runs:
                self.runs[line["name"]] = {}
                self.order.append(line["name"])
            self.runs[line["name"]][line["seed"]] = math.nan if line["value"] is None else line["value"]
        elif line["kind"] == SAID:
            if line["word"] == MORE:
                self.tested.append((line["name"], line["reference"]))
            else:
                self.said[line["name"]] = line
            if line["word"] == KEEP:
                self.reference = line["name"]


def state_of(lines: Sequence[Mapping[str, Any]]) -> State:
    """The state after these lines."""
    state = State()
    for line in lines:
        state.apply(line)
    return state


def is_due(state: State, proposal: str) -> bool:
    """Whether something follows for a proposal that is not among the lines."""
    answer, enters = answer_to(state, proposal)
    return enters or answer.word != MORE


def answer_to(state: State, proposal: str) -> tuple[Answer, bool]:
    """The answer, and whether the proposal comes to a test by it."""
    rule, known = Rule(alpha=state.begin["alpha"]), state.said.get(proposal)
    if known is not None and proposal != state.reference:
        return _said(
            state, proposal, Word(word=known["word"], because=known["because"], p=known["p"], level=known["level"])
        ), False
    if proposal == state.reference:
        missing = [seed for seed in rule.screen_seeds if seed not in state.runs[proposal]]
        word = Word(word=MORE if missing else KEEP, because="the reference", seeds=tuple(missing))
        return _said(state, proposal, word), False
    own, reference = state.runs.get(proposal, {}), state.runs[state.reference]
    if any(math.isnan(value) for value in own.values()):
        return _said(state, proposal, Word(word=DISCARD, because="a run failed")), False
    short = [seed for seed in rule.screen_seeds if seed not in reference]
    if short:
        first = tuple(seed for seed in rule.screen_seeds[:1] if seed not in own)
        return _said(state, proposal, Word(word=MORE, because="the reference comes first", seeds=first), short), False
    spread, test = _spread(state, rule, before=proposal), (proposal, state.reference)
    is_tested = test in state.tested
    seeds = rule.test_seeds if is_tested else rule.screen_seeds
    better_S = _better(state, own, reference, seeds)
    if is_tested:
        word = tested(better_S, number=state.tested.index(test) + 1, spread=spread, rule=rule)
    else:
        word = screened(better_S, spread=spread, rule=rule)
    needed = [seed for seed in word.seeds if seed not in reference]
    left = Word(
        word=word.word,
        because=word.because,
        seeds=tuple(s for s in word.seeds if s not in own),
        p=word.p,
        level=word.level,
    )
    return _said(state, proposal, left, needed), not is_tested and word.word == MORE and word.seeds[
        0
    ] in rule.test_seeds


def _said(state: State, proposal: str, word: Word, reference_seeds: Sequence[int] = ()) -> Answer:
    return Answer(
        proposal=proposal, word=word.word, because=word.because, seeds=word.seeds, reference=state.reference,
        reference_seeds=tuple(reference_seeds), p=word.p, level=word.level,
    )  # fmt: skip


def _better(state: State, own: Mapping[int, float], reference: Mapping[int, float], seeds: Sequence[int]) -> np.ndarray:
    """By how much more than the margin the proposal is better, at the first of these seeds that both have."""
    sign = -1.0 if state.begin["mode"] == "min" else 1.0
    values = []
    for seed in seeds:
        if seed not in own or seed not in reference:
            break
        values.append(sign * (own[seed] - reference[seed]) - state.begin["margin"])
    return np.array(values)


def _spread(state: State, rule: Rule, *, before: str) -> float:
    """The standard deviation of a run over the screening seeds, pooled over what came before a proposal."""
    squares = degrees = 0.0
    for name, runs in state.runs.items():
        if name == before:
            break
        values = np.array([runs[seed] for seed in rule.screen_seeds if seed in runs])
        values = values[np.isfinite(values)]
        if len(values) > 1:
            squares += float(((values - values.mean()) ** 2).sum())
            degrees += len(values) - 1
    return math.sqrt(squares / degrees) if degrees else 0.0
