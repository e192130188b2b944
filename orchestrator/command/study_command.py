"""The command line that every study shares."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.command.arguments import Arguments, parser_of
from orchestrator.command.prepared import Prepared
from orchestrator.command.preview import foresight, show_plan
from orchestrator.plan import samplers
from orchestrator.process.command_line import command_again, lasting
from orchestrator.process.installed import installed
from orchestrator.process.job_origin import origin
from orchestrator.runners.adaptive_seeds import with_looks
from orchestrator.runners.coordinator import StudyError
from orchestrator.runners.run import Options, run
from orchestrator.runners.study_script import is_looking, program_here
from orchestrator.storage.results_folder import Folder

BROKEN, WRONG, INTERRUPTED = 1, 2, 130


@dataclass(frozen=True, kw_only=True)
class StudyCommand:
    """A study with a command line."""

    description: str
    presets: Mapping[str, str]  # what each preset is, in words; the first is the default
    prepare: Callable[[Arguments], Prepared]
    extend: Callable[[argparse.ArgumentParser], None] = lambda _: None  # adds arguments of the script's own
    without: tuple[str, ...] = ()  # options that it does not have
    name: tuple[str, ...] = ()  # words before its arguments: it is a command of another program

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Runs the study; returns the exit code: 0 done, 1 broken, 2 wrong usage or bad input, 130 interrupted."""
        console = Console(soft_wrap=True, highlight=False, quiet=is_looking())
        words = list(sys.argv[1:] if argv is None else argv)
        arguments = self.parse(words[len(self.name) :])
        try:
            arguments.check()
            prepared = self.prepare(arguments)
            prepared = replace(prepared, study=with_looks(prepared.study)[0])
            samplers.require_known(prepared.study.budget, prepared.study.searched)
            results = arguments.results or f"results/{prepared.study.name}"
            if arguments.plan:
                show_plan(prepared, Folder.at(results), arguments, console)
                return 0
            if arguments.cluster is not None:
                return _submit(prepared, arguments, arguments.cluster, words=words, console=console)
            return _run(prepared, _options(arguments, results, words), console, _go_on(words))
        except (ValueError, OSError, StudyError) as error:
            Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {error}", markup=False)
            return BROKEN if isinstance(error, StudyError) else WRONG
        except KeyboardInterrupt:
            console.print(f"\nStopped at once. {_go_on(words)}", markup=False)
            return INTERRUPTED

    def parse(self, words: Sequence[str]) -> Arguments:
        """The arguments; wrong usage exits with 2."""
        prog = f"python -m orchestrator {' '.join(self.name)}" if self.name else None
        parser = parser_of(self.description, self.presets, without=self.without, prog=prog)
        self.extend(parser)
        return Arguments.of(vars(parser.parse_args(words)))


def _run(prepared: Prepared, options: Options, console: Console, go_on: str) -> int:
    for line in foresight(prepared.study):
        console.print(line, markup=False)
    objective = prepared.objective()
    try:
        ended = run(prepared.study, objective, options, data=prepared.data, console=console)
    except OSError as error:
        raise OSError(
            f"{error}. Results go to {options.results}, which must be there and have room; what is finished is safe, "
            "and the same command goes on"
        ) from error
    if is_looking():
        return 0
    if ended.interruption.signal is not None:
        console.print(f"Interrupted in good order by {ended.interruption.signal.name}. {go_on}", markup=False)
        return INTERRUPTED
    if not ended.complete:
        console.print(f"Not complete: {ended.reason}. {go_on}", markup=False)
    prepared.leave(ended.folder)
    report = installed("report")(ended.folder.root)
    ended.folder.send(ended.folder.report)
    places = (f"Figures and tables: {report.page.parent}", f"Page: {report.page}", "")
    for line in ("", *report.text.splitlines(), "", *places, *prepared.hints):
        console.print(line, markup=False)
    return 0


def _options(arguments: Arguments, results: str, words: Sequence[str]) -> Options:
    program = _program(words, results)
    return Options(
        results=results,
        serial=arguments.serial,
        address=arguments.address,
        workers=arguments.workers,
        hours=arguments.hours,
        fresh=arguments.fresh,
        retry_failed=arguments.retry_failed,
        accept_change=arguments.accept_change,
        program=program,
        checkout=Path.cwd() if program.get("module") else Path(sys.argv[0]).absolute().parent,
    )


def _program(words: Sequence[str], results: str) -> dict[str, Any]:
    """How to make the study again; of a job, on the machine that submitted it, to which results come back."""
    if (known := origin()) is not None:
        return {"script": known.script, "arguments": list(known.arguments)}
    here = program_here(lasting(words))
    return here | {"results": results} if here else {}


def _submit(prepared: Prepared, arguments: Arguments, cluster: Path, *, words: Sequence[str], console: Console) -> int:
    from orchestrator.remote.job_request import Errand  # with --cluster alone
    from orchestrator.remote.submit import submit

    errand = Errand(
        study=prepared.study.name,
        cluster=cluster,
        data=arguments.data,
        results=arguments.results,
        script=Path(sys.argv[0]).resolve(),
        words=words,
    )
    return submit(errand, console)


def _go_on(words: Sequence[str]) -> str:
    return f"Go on with the same command: {command_again(words)}"
