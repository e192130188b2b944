"""Judges a stream of proposals, one after another, against a reference that a kept proposal replaces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from analysis.judge import stream_file
from analysis.judge.rule import MORE, Rule
from analysis.judge.stream_file import Writer
from analysis.judge.stream_state import BEGIN, RUN, SAID, Answer, State, answer_to, is_due, state_of

VERSION = 1


class Judge:
    """Judges a stream of proposals and remembers it in a file; any process may go on with it.

    >>> judge = Judge("stream.jsonl", reference="base", minimise="loss")
    >>> judge.ask("base").seeds
    (0, 1, 2, 3, 4)
    >>> for seed, value in enumerate([0.91, 0.89, 0.90, 0.92, 0.88]):
    ...     answer = judge.hear("base", seed, value)
    >>> judge.hear("no_dropout", 0, 0.99).word
    'discard'

    Args:
        stream: the file; it is made where there is none.
        reference: the name of what the first proposals are compared with; needed for a new stream.
        minimise: the metric, where lower is better.
        maximise: the metric, where higher is better.
        margin: what a kept proposal must be better by, in units of the metric.
        evaluation: what the metric is measured by, a hash or a version, if it is to be held; runs must name the same.
        alpha: the chance of any false keep in the whole stream.

    Raises:
        ValueError: the stream is of another question, or was changed.
    """

    def __init__(
        self,
        stream: str | Path,
        *,
        reference: str | None = None,
        minimise: str | None = None,
        maximise: str | None = None,
        margin: float = 0.0,
        evaluation: str | None = None,
        alpha: float = 0.05,
    ) -> None:
        self._path = Path(stream)
        lines = stream_file.read(self._path)
        asked = {
            "reference": reference, "metric": minimise or maximise, "mode": "min" if minimise else "max",
            "margin": margin, "evaluation": evaluation, "alpha": alpha,
        }  # fmt: skip
        if lines:
            _check_same(lines[0], asked, self._path)
        else:
            _check_new(asked, both=bool(minimise and maximise))
            with stream_file.writing(self._path) as writer:
                if not writer.lines:
                    writer.add({"kind": BEGIN, "version": VERSION, **asked})
        self._catch_up()

    def ask(self, proposal: str) -> Answer:
        """What is said of a proposal now, or which seeds it takes next."""
        return answer_to(self._catch_up(), proposal)[0]

    def hear(self, proposal: str, seed: int, value: float, *, evaluation: str | None = None) -> Answer:
        """Takes a run, and says what is said of the proposal now.

        Args:
            proposal: its name; that of the reference gives a run of the reference.
            seed: one of those that were asked for.
            value: of the metric; nan or infinite: the run failed, and a proposal with a failed run is discarded.
            evaluation: what it was measured by.

        Raises:
            ValueError: the seed was not asked for or is there already, the evaluation changed, the proposal was judged
                before, or the reference's own run failed.
        """
        self._catch_up()
        with stream_file.writing(self._path) as writer:
            state = state_of(writer.lines)
            _check_run(state, proposal, seed, value, evaluation)
            is_reference = proposal == state.reference
            line = {
                "kind": RUN,
                "name": proposal,
                "seed": int(seed),
                "value": float(value) if math.isfinite(value) else None,
            }
            _add(writer, state, line)
            for name in state.open if is_reference else [proposal]:  # runs of the reference may decide others
                _settle(writer, state, name)
            return answer_to(state, proposal)[0]

    def _catch_up(self) -> State:
        """Writes what follows from the runs and was not written, for a kill came between."""
        state = state_of(stream_file.read(self._path))
        if not any(is_due(state, name) for name in state.open):
            return state
        with stream_file.writing(self._path) as writer:
            state = state_of(writer.lines)
            for name in state.open:
                _settle(writer, state, name)
            return state

    def decide(self, proposal: str, train: Callable[[str, int], float], *, evaluation: str | None = None) -> Answer:
        """Runs what is asked for until the proposal is kept or discarded.

        Args:
            proposal: its name.
            train: of a name, the proposal's or the reference's, and a seed: trains, and returns the metric.
            evaluation: what it is measured by.

        Raises:
            ValueError: as of `hear`.
        """
        answer = self.ask(proposal)
        while answer.word == MORE:
            is_reference = bool(answer.reference_seeds)
            name, seeds = (answer.reference, answer.reference_seeds) if is_reference else (proposal, answer.seeds)
            self.hear(name, seeds[0], train(name, seeds[0]), evaluation=evaluation)
            answer = self.ask(proposal)
        return answer

    @property
    def reference(self) -> str:
        """What proposals are compared with now."""
        return state_of(stream_file.read(self._path)).reference

    @property
    def decided(self) -> dict[str, str]:
        """Every proposal that was judged, and what was said of it, in order."""
        return {name: str(line["word"]) for name, line in state_of(stream_file.read(self._path)).said.items()}


def _add(writer: Writer, state: State, line: dict[str, Any]) -> None:
    writer.add(line)
    state.apply(line)


def _settle(writer: Writer, state: State, proposal: str) -> None:
    """Writes what is said of a proposal, if it is said for good; and that it has come to a test."""
    answer, enters = answer_to(state, proposal)
    if enters:
        words = {"because": answer.because, "reference": state.reference}
        _add(writer, state, {"kind": SAID, "name": proposal, "word": MORE, **words})
        answer, _ = answer_to(state, proposal)
    if answer.word != MORE and proposal not in state.said and proposal != state.reference:
        words = {"because": answer.because, "p": answer.p, "level": answer.level, "reference": answer.reference}
        _add(writer, state, {"kind": SAID, "name": proposal, "word": answer.word, **words})


def _check_new(asked: Mapping[str, Any], *, both: bool) -> None:
    if not asked["reference"] or not asked["metric"] or both:
        raise ValueError("a new stream needs a reference, and a metric: one of minimise and maximise")
    if not 0 < asked["alpha"] < 1 or not asked["margin"] >= 0:
        raise ValueError(
            f"alpha must lie between 0 and 1, the margin be at least 0; got {asked['alpha']:g} and {asked['margin']:g}"
        )


def _check_same(begin: Mapping[str, Any], asked: Mapping[str, Any], path: Path) -> None:
    """What is said again must be what the stream began with."""
    if begin.get("kind") != BEGIN or begin.get("version") != VERSION:
        raise ValueError(f"{path} must be a judge's stream of version {VERSION}")
    said = [key for key in ("reference", "metric", "evaluation") if asked[key] is not None]
    said += ["mode"] * (asked["metric"] is not None)
    said += [key for key, default in (("margin", 0.0), ("alpha", 0.05)) if asked[key] != default]
    for key in said:
        if begin[key] != asked[key]:
            raise ValueError(
                f"{path} is a stream whose {key} is {begin[key]!r}; got {asked[key]!r}. "
                "Another question is another stream"
            )


def _check_run(state: State, proposal: str, seed: int, value: float, evaluation: str | None) -> None:
    held = state.begin["evaluation"]
    if evaluation != held:
        raise ValueError(
            f"the evaluation must stay what it was, {held!r}; got {evaluation!r}. "
            "What is measured otherwise cannot be compared"
        )
    if proposal in state.said and proposal != state.reference:
        raise ValueError(
            f"{proposal} was judged: {state.said[proposal]['word']}. A proposal is judged once; one that was changed "
            "has another name"
        )
    if seed in state.runs.get(proposal, {}):
        raise ValueError(f"{proposal} has a run with seed {seed} already; the same seed twice says nothing more")
    is_reference = proposal == state.reference
    asked = _wanted_of_reference(state) if is_reference else set(answer_to(state, proposal)[0].seeds)
    if seed not in asked:
        wanted = " ".join(str(one) for one in sorted(asked)) or "none"
        raise ValueError(
            f"a run must have a seed that was asked for, of {proposal} now: {wanted}; got {seed}. "
            "Chosen seeds prove nothing"
        )
    if is_reference and not math.isfinite(value):
        raise ValueError(f"the reference must have a result with every seed; its run with seed {seed} gave {value}")


def _wanted_of_reference(state: State) -> set[int]:
    """Seeds that the reference lacks, among those of the rule: it may run ahead of what is asked."""
    rule = Rule(alpha=state.begin["alpha"])
    return {*rule.screen_seeds, *rule.test_seeds} - state.runs[state.reference].keys()
