"""A program of any language as what a study trains: a command with places for hyperparameters."""

from __future__ import annotations

import re
import shlex
import shutil
import string
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.objectives import program_metrics
from orchestrator.objectives.data_parts import require_told
from orchestrator.objectives.program_run import ProgramRun, environment
from orchestrator.objectives.program_sources import sources_sha256
from orchestrator.study.params import require_known
from orchestrator.study.study import Study

OF_RUN = ("seed", "epochs", "split", "fold", "phase", "out")
PYTHON = ("python", "python3")


class Script:
    """A program that trains one run, and knows of no orchestrator.

    >>> program = Script("python train.py --lr {lr} --seed {seed} --epochs {epochs}")
    >>> program.command({"lr": 0.01, "momentum": 0.9}, seed=3, epochs=5)[-6:]
    ['--lr', '0.01', '--seed', '3', '--epochs', '5']

    It says what it reached as JSON objects, one a line, on its standard output, or in a file. An object with the metric
    that the search looks at is an epoch; what others hold (the metrics of the test items) belongs to the end; what the
    study does not declare is passed over. It runs in a folder of its own, RESULTS/programs/RUN, where its output
    is kept (output.txt, errors.txt; a megabyte of each at most). When its run is pruned or drained, or the worker is
    killed, it ends with all that it has started.

    Args:
        template: the command. Filled in are every hyperparameter by its name, and `seed`, `epochs`, `split`, `fold`
            (of the data), `phase` ("search", "rerank", "confirm") and `out` (the run's own folder). `{{` is a brace.
            No shell reads it. `python` is the Python that runs the study.
        metrics: where it says what it reached. None: JSON objects on standard output. A path, from the run's own
            folder: a file .jsonl or .csv, read while it grows, or .json (an object, or a list of them), read at its
            end. A compiled pattern: the named groups of every line of the output.
        data: a name, or a file whose content counts: runs on other data are other runs.
        code: files or folders, beside those that the command names and what Python files among them import, that make
            the numbers: runs of other code are other runs.
        resumes: whether the program, begun again in its folder after a kill, goes on from a checkpoint of its own; it
            must then say of every epoch which it is, {"epoch": 3, ...}.
        time_limit: seconds after which it is ended, as a failed run; None: never.
        keep_files: whether what it leaves in its folder stays; else its output alone does.
        append: whether hyperparameters that the template does not name are added to it as `--name value`, those that
            are empty text left out.
        folder: from which paths in the template go; None: the current one.
        constants: further values by name, the same in all runs. Other ones are other code, but for a `Path`: it says
            where something lies.

    Raises:
        ValueError: the template cannot be filled in.
    """

    def __init__(
        self,
        template: str,
        *,
        metrics: str | re.Pattern[str] | None = None,
        data: str | Path = "none",
        code: Sequence[str | Path] = (),
        resumes: bool = False,
        time_limit: float | None = None,
        keep_files: bool = False,
        append: bool = False,
        folder: str | Path | None = None,
        **constants: object,
    ) -> None:
        self._folder = Path(folder or Path.cwd()).absolute()
        self._constants = {name: str(value) for name, value in constants.items()}
        self._words = [self._absolute(word) for word in shlex.split(template)]
        self.template, self._metrics, self._append = template, _checked(metrics), append
        self._resumes, self._time_limit, self._keep_files = resumes, time_limit, keep_files
        self._names = {name for word in self._words for name in _fields(word, template)}
        filled = [word.format_map(_Kept(self._constants)) for word in self._words]
        said = [template, repr(metrics), *(f"{k}={v}" for k, v in constants.items() if not isinstance(v, Path))]
        also = [self._folder / path for path in code]
        self.code_sha256 = sources_sha256(said, filled, folder=self._folder, also=also)
        self.data_sha256 = _of_data(data)
        self._study = _Declared()
        self._root = Path()

    def bound(self, study: Study, root: Path) -> Script:
        """The same for one study: what it declares, and where the folders of its runs lie.

        Raises:
            ValueError: the command names what is no hyperparameter, misses one that an arm or the space changes, or
                cannot be found.
        """
        for name in sorted(self._names - self._constants.keys() - set(OF_RUN)):
            require_known("place in the command", name, [*study.params, *OF_RUN, *self._constants])
        if "seed" not in self._names:
            raise ValueError(
                f"the command must use the seed of a run, or all would be the same: {self.template}. Add {{seed}} to "
                "it, and seed the program with it"
            )
        require_told(study, self._names, "the command needs the place")
        changed = {name: f"arm {arm.name}" for arm in study.arms for name in arm.pins}
        changed |= dict.fromkeys(study.searched, "the space")
        for name, who in changed.items():
            if name not in self._names and not self._append:
                raise ValueError(
                    f"{who} changes {name}, which the command never uses: {self.template}. Add {{{name}}} to it"
                )
        program, *words = self.command(study.params, seed=0, epochs=1)
        if not shutil.which(program):
            raise ValueError(f"the program {program} cannot be found; give its path, or install it")
        if program == sys.executable and words and words[0].endswith(".py") and not (self._folder / words[0]).is_file():
            raise ValueError(f"the program {words[0]} cannot be found from {self._folder}; give its path")
        twin = copy(self)
        twin._root = root.absolute()
        twin._study = _Declared(
            epoch=frozenset(study.metrics.epoch), every=frozenset(study.metrics.modes), search=study.metrics.search
        )
        return twin

    def command(self, params: Mapping[str, Any], **of_run: Any) -> list[str]:
        """The words of the command for some hyperparameters, `seed`, `epochs` and so on."""
        known = {**{name: _text(value) for name, value in {**params, **of_run}.items()}, **self._constants}
        words = [word.format_map(_Kept(known)) for word in self._words]
        more = [name for name in params if name not in self._names and known[name]] if self._append else []
        first = sys.executable if words[0] in PYTHON else words[0]
        return [first, *words[1:], *(word for name in more for word in (f"--{name}", known[name]))]

    def __call__(
        self,
        *,
        params: Mapping[str, Any],
        seed: int,
        epochs: int,
        split: int,
        fold: int | None,
        phase: str,
        state: Any,
        run_id: str,
    ) -> Generator[tuple[Mapping[str, float], Mapping[str, Any]], None, Mapping[str, float]]:
        """Trains one run: yields its metrics after every epoch, and returns those of its end."""
        out = self._root / run_id
        if not self._resumes:
            shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True, exist_ok=True)
        of_run = {"seed": seed, "epochs": epochs, "split": split, "fold": fold, "phase": phase, "out": out}
        last, num_epochs = dict[str, float](), int(state["epoch"]) if state else 0
        program = ProgramRun(
            self.command(params, **of_run), folder=out, environment=environment(), seconds=self._time_limit
        )
        try:
            for record in self._records(program, out):
                last |= {name: value for name, value in record.items() if name in self._study.every}
                if self._study.search not in record or (self._resumes and record.get("epoch", 0) <= num_epochs):
                    continue
                if num_epochs == epochs:
                    raise ValueError(
                        f"the program must say at most {epochs} epochs, those of the study; it said one more. Give the "
                        "study as many as it says (epochs), or its command a place {epochs}"
                    )
                num_epochs += 1
                metrics = {name: value for name, value in record.items() if name in self._study.epoch}
                yield metrics, {"epoch": num_epochs} if self._resumes else {}
            program.finish()
        finally:
            program.close()
            self._tidy(out)
        if not num_epochs:
            raise ValueError(f"the program never said {self._study.search}: {self._how()}")
        return last

    def _records(self, program: ProgramRun, out: Path) -> Iterator[program_metrics.Record]:
        if not isinstance(self._metrics, str):
            for line in program.lines():
                yield program_metrics.of_line(line, self._metrics)
            return
        seen, path = 0, out / self._metrics
        for is_over in program.looks():
            records = program_metrics.of_file(path, is_over=is_over)
            yield from records[seen:]
            seen = max(seen, len(records))

    def _how(self) -> str:
        if isinstance(self._metrics, str):
            return f"it must stand in {self._metrics} of its folder; see output.txt and errors.txt there"
        form = "a group of that name in the pattern" if self._metrics else f'lines as {{"{self._study.search}": 0.5}}'
        return f"its standard output must have {form}, or say with metrics=... where it stands"

    def _tidy(self, out: Path) -> None:
        """Removes what a run has left beside its output, where it is not wanted."""
        if self._keep_files or self._resumes:
            return
        for path in out.iterdir():
            if path.name not in ("output.txt", "errors.txt"):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _absolute(self, word: str) -> str:
        """A path that is there, from the folder: the program runs in another one."""
        is_path = "{" not in word and (self._folder / word).exists() and word not in PYTHON
        return str(self._folder / word) if is_path else word


@dataclass(frozen=True, kw_only=True)
class _Declared:
    """The metrics that a study declares."""

    search: str = ""
    epoch: frozenset[str] = field(default_factory=frozenset)
    every: frozenset[str] = field(default_factory=frozenset)


class _Kept(dict[str, str]):
    """Values by name; a place without one stays as it is."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def _fields(word: str, template: str) -> Iterator[str]:
    try:
        for _, name, form, conversion in string.Formatter().parse(word):
            if name is None:
                continue
            if not name.isidentifier() or form or conversion:
                raise ValueError(f"a place is a name in braces, {{lr}}, and a brace itself is {{{{; got {{{name}}}")
            yield name
    except ValueError as error:
        raise ValueError(f"the command {template!r} cannot be filled in: {error}") from error


def _checked(metrics: str | re.Pattern[str] | None) -> str | re.Pattern[str] | None:
    if isinstance(metrics, str) and Path(metrics).suffix not in program_metrics.SUFFIXES:
        raise ValueError(
            f"metrics must be a file {', '.join(program_metrics.SUFFIXES)}, or a compiled pattern; got {metrics!r}"
        )
    if isinstance(metrics, re.Pattern) and not metrics.groupindex:
        raise ValueError(f"the pattern of metrics needs named groups, (?P<valid_loss>...); got {metrics.pattern!r}")
    return metrics


def _of_data(data: str | Path) -> str:
    if isinstance(data, Path):
        return sources_sha256([], [], folder=Path(), also=[data])
    return data


def _text(value: object) -> str:
    """A value as programs read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
