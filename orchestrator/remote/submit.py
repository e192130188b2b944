"""A study from a laptop: handed to a cluster as a job, followed while it runs, its results brought back.

The job does not need the laptop. The same command finds the job again, or what it left.
"""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from orchestrator.display.live_table import Mirror
from orchestrator.ledger import journal
from orchestrator.process.command_line import command_again, lasting
from orchestrator.process.git_commit import checkout_of, commit
from orchestrator.process.job_origin import Origin
from orchestrator.remote.cluster_file import head_of
from orchestrator.remote.head_node import Head, Tunnel, UnreachableError
from orchestrator.remote.job_request import Errand, digest_of, plain
from orchestrator.runners.coordinator import StudyError
from orchestrator.storage.archive import archive
from orchestrator.storage.object_store import is_address
from orchestrator.storage.results_folder import Folder

if TYPE_CHECKING:  # Ray is imported where it is used
    from orchestrator.remote.ray_jobs import Jobs

# Seconds between attempts to get a lost connection back.
PATIENCE = (1, 2, 5, 10, 20, 30)
# What of the checkout a job does not need, as in a .gitignore.
LEFT_OUT = (".git", ".venv", "/results", "__pycache__", ".*_cache", "*.egg-info")
BROKEN, INTERRUPTED = 1, 130  # exit codes


def submit(errand: Errand, console: Console) -> int:
    """Runs a study on a cluster, or goes on following it; returns its exit code.

    Raises:
        ValueError: bad input, or the study is at work there with other arguments.
        StudyError: the head does not answer any more.
    """
    Folder.at(errand.results or errand.place)  # refuses addresses of something else
    head = head_of(errand.cluster)
    try:
        with head.tunnel() as tunnel:
            submission_id = _attach_or_start(errand, head, tunnel, console)
    except UnreachableError as error:
        raise ValueError(f"{error}. If the cluster is not up: ray up {errand.cluster}") from error
    try:
        code = _follow(head, submission_id, console)
        if code < 0:
            console.print(f"The study's driver was ended by signal {-code} on {head.address}; the same command goes on")
            code = BROKEN
    except KeyboardInterrupt:
        stop = f"ray exec {errand.cluster} 'ray job stop {submission_id}'"
        console.print(
            f"\nDetached: the study goes on. Attach again with the same command: {command_again(errand.words)}; stop "
            f"it in good order with: {stop}",
            markup=False,
        )
        return INTERRUPTED
    try:
        _bring(errand, head, console)
    except UnreachableError as error:
        raise StudyError(f"results are not here yet: {error}; the same command brings them") from error
    return code


def _attach_or_start(errand: Errand, head: Head, tunnel: Tunnel, console: Console) -> str:
    """The id of the job that is at work, else of a new one."""
    from orchestrator.remote.ray_jobs import Jobs  # Ray is imported where it is used

    jobs = Jobs(tunnel)
    if not tunnel.is_set_up:
        raise UnreachableError(f"{head.address} must have ~/studies/.venv, which ray up makes; it has none")
    words = errand.words_there(home=tunnel.home, data=_send_data(errand, head, tunnel, console))
    known = jobs.of(errand.prefix)
    if known and not known[-1].is_over:
        submission_id = known[-1].submission_id
        _check_same(shlex.split(known[-1].words), words)
        console.print(f"Attached to {submission_id}, which is at work on {head.address}", markup=False)
        return submission_id
    number = 1 + (int(known[-1].submission_id.rpartition("-")[2]) if known else 0)
    submission_id = f"{errand.prefix}-{number}"
    _start(errand, jobs, submission_id, python=f"{tunnel.home}/studies/.venv/bin/python", words=words)
    console.print(f"Submitted to {head.address} as {submission_id}; this machine is not needed any more", markup=False)
    return submission_id


def _start(errand: Errand, jobs: Jobs, submission_id: str, *, python: str, words: Sequence[str]) -> None:
    code = checkout_of(errand.script)
    script = errand.script.relative_to(code).as_posix()
    jobs.submit(
        submission_id,
        f"exec {shlex.join([python, script, *words])}",
        code=code,
        without=[*LEFT_OUT, *_inside(code, errand.here, errand.data)],
        environment=_origin(errand).environment(),
        words=shlex.join(words),
    )


def _check_same(theirs: Sequence[str], ours: Sequence[str]) -> None:
    """Refuses to attach to what is not the same command; what is meant for one call need not be said again."""
    new = set(ours) - set(lasting(ours)) - set(theirs)
    if lasting(theirs) != lasting(ours) or new:
        raise ValueError(
            f"the study is at work there with other arguments ({shlex.join(theirs)}), not with "
            f"{shlex.join(ours)}. Attach with those, or wait for its end"
        )


def _origin(errand: Errand) -> Origin:
    at = commit(errand.script.parent)
    return Origin(
        sha=at.sha,
        dirty=at.dirty,
        script=str(errand.script),
        arguments=tuple(lasting(errand.words)),
        command=command_again(errand.words),
    )


def _inside(code: Path, *paths: Path | None) -> list[str]:
    """Those paths that lie in the checkout, as in a .gitignore: data and results do not travel with the code."""
    found = [path.absolute() for path in paths if path is not None]
    return [f"/{path.relative_to(code).as_posix()}" for path in found if path != code and path.is_relative_to(code)]


def _send_data(errand: Errand, head: Head, tunnel: Tunnel, console: Console) -> str | None:
    """The data's path on the head, to which it goes once."""
    if errand.data is None:
        return None
    data = errand.data.resolve()
    path = f"data/{plain(data.name)}-{digest_of(data)[:12]}"
    made = head.output(f"test -e {path} && echo there || mkdir -p {path}.part")
    if not made:
        console.print(f"The data goes to {head.address}:~/{path}", markup=False)
        head.send(data, f"{path}.part")
        head.output(f"mv {path}.part {path}")
    return f"{tunnel.home}/{path}" if data.is_dir() else f"{tunnel.home}/{path}/{data.name}"


def _follow(head: Head, submission_id: str, console: Console) -> int:
    """Shows the job until its end, over lost connections; returns its exit code."""
    failures = 0
    with Mirror(console) as mirror:
        while True:
            seen = mirror.num_characters
            try:
                return _watch(head, submission_id, mirror)
            except UnreachableError as error:
                failures = 0 if mirror.num_characters > seen else failures
                if failures == len(PATIENCE):
                    raise StudyError(
                        f"the connection is lost: {error}. The study does not need it and goes on; the same command "
                        "attaches again"
                    ) from error
                if not failures:
                    console.print("The connection is lost; trying to get it back", markup=False)
                time.sleep(PATIENCE[failures])
                failures += 1
            except ValueError as error:
                raise StudyError(f"{error}. The same command goes on") from error


def _watch(head: Head, submission_id: str, mirror: Mirror) -> int:
    from orchestrator.remote.ray_jobs import Jobs

    with head.tunnel() as tunnel:
        jobs = Jobs(tunnel)
        jobs.follow(submission_id, mirror.show, begin=mirror.num_characters)
        job = jobs.get(submission_id)
    if not job.is_over:
        raise UnreachableError("the job's log ended before the job")
    if job.exit_code is None:
        raise ValueError(f"the job could not run: {' '.join(job.message.split())[-400:]}")
    return job.exit_code


def _bring(errand: Errand, head: Head, console: Console) -> None:
    """Copies results and report here; what lies here and is no earlier copy of them is kept aside."""
    place, here = errand.place, errand.here
    if is_address(place):
        console.print(f"Results: {place}   Draw them here: python -m analysis {place}", markup=False)
        return
    if not head.output(f"test ! -e {shlex.quote(place)}/study.json || echo there"):
        return
    if here.exists() and any(here.iterdir()) and not _is_earlier_copy(here, head, place):
        archive(Folder.at(here), console)
    head.bring(place, here, without=("/checkpoints",))
    page = here / "report" / "index.html"
    for line in (f"Results are here now: {here}", *([f"Page: {page}"] if page.exists() else [])):
        console.print(line, markup=False)


def _is_earlier_copy(here: Path, head: Head, place: str) -> bool:
    """Whether every segment of the journal here is what the one there begins with: segments only grow."""
    known = {path.name: path.read_bytes() for path in journal.segments(Folder.at(here))}
    names = {name: shlex.quote(f"{place}/journal/{name}") for name in known}
    commands = [f"head -c {len(data)} {names[name]} 2> /dev/null | sha256sum" for name, data in known.items()]
    there = [line.split()[0] for line in head.output("; ".join(["true", *commands])).splitlines()]
    return bool(known) and there == [hashlib.sha256(data).hexdigest() for data in known.values()]
