"""Ray's jobs: a study submitted, followed and ended, through a tunnel to the head's dashboard."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import requests
from ray import exceptions
from ray.autoscaler import sdk
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from orchestrator.remote.head_node import Tunnel, UnreachableError

# Seconds that a stopped study has to write its checkpoints. Ray's own 3 would cut them off.
STOP_SECONDS = 600
INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Job:
    """A study that was submitted."""

    submission_id: str
    words: str  # its arguments, as they were typed
    is_over: bool
    exit_code: int | None  # None: Ray does not know one
    message: str  # Ray's


class Jobs:
    """The jobs of a cluster.

    Every method raises an UnreachableError where the cluster does not answer.

    Raises:
        ValueError: no Ray runs there, or it does not know the token.
    """

    def __init__(self, tunnel: Tunnel) -> None:
        _leave_the_environment_out()
        headers = {"Authorization": f"Bearer {tunnel.token}"} if tunnel.token else {}
        try:
            self._client = JobSubmissionClient(tunnel.url, headers=headers)
        except exceptions.AuthenticationError as error:
            raise ValueError("the cluster's Ray refuses the token in the head's ~/.ray/auth_token") from error
        except (ConnectionError, requests.RequestException) as error:
            raise UnreachableError("no Ray answers on the head") from error

    def of(self, prefix: str) -> list[Job]:
        """The jobs whose ids are this prefix and a number, the oldest first."""
        found = [
            details
            for details in self._call(self._client.list_jobs)
            if details.submission_id and details.submission_id.rpartition("-")[0] == prefix
        ]
        found.sort(key=lambda details: int(str(details.submission_id).rpartition("-")[2]))
        return [_job(details) for details in found]

    def get(self, submission_id: str) -> Job:
        """One job, as it is now."""
        return _job(self._call(lambda: self._client.get_job_info(submission_id)))

    def submit(
        self,
        submission_id: str,
        entrypoint: str,
        *,
        code: Path,
        without: Sequence[str],
        environment: Mapping[str, str],
        words: str,
    ) -> None:
        """Sends the code and starts the job.

        Args:
            without: what of the code's folder stays here, as in a .gitignore.
        """
        runtime = {
            "working_dir": str(code),
            "excludes": list(without),
            "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), **environment},
        }
        self._call(
            lambda: self._client.submit_job(
                entrypoint=entrypoint, submission_id=submission_id, runtime_env=runtime, metadata={"words": words}
            )
        )

    def follow(self, submission_id: str, show: Callable[[str], None], *, begin: int) -> None:
        """Shows the job's log, from a character on, while the job runs."""

        async def tail() -> None:
            skip = begin
            async for text in self._client.tail_job_logs(submission_id):
                if len(text) > skip:
                    show(text[skip:])
                skip = max(0, skip - len(text))

        try:
            asyncio.run(tail())
        except (OSError, RuntimeError, aiohttp.ClientError) as error:
            raise UnreachableError(f"the line is cut: {error}") from error

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (ConnectionError, requests.RequestException) as error:
            raise UnreachableError("the head's Ray does not answer any more") from error
        except RuntimeError as error:
            raise ValueError(f"Ray refuses: {' '.join(str(error).split())[-300:]}") from error


def address_of(file: Path) -> str:
    """Where the head of a cluster is, by the cluster's provider.

    Raises:
        ValueError: it is not there.
    """
    try:
        return str(sdk.get_head_node_ip(str(file)))
    except Exception as error:
        raise ValueError(f"the cluster of {file} is not there ({error}); bring it up: ray up {file}") from error


def auth_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who logs in and with which key, where the provider made the key.

    Raises:
        ValueError: the provider cannot say.
    """
    try:
        return sdk.bootstrap_config(dict(config))["auth"]
    except Exception as error:
        raise ValueError(f"the cluster's provider must know the ssh key: {error}") from error


def _leave_the_environment_out() -> None:
    """What would lead elsewhere: addresses that Ray prefers to the one it is given, and proxies on the way."""
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        os.environ.pop(name, None)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    for name in ("ray", *(f"ray.dashboard.modules.{name}" for name in ("dashboard_sdk", "job.sdk"))):
        logging.getLogger(name).setLevel(logging.ERROR)  # what matters comes as an exception


def _job(details: JobDetails) -> Job:
    status = cast(JobStatus, details.status)
    code = details.driver_exit_code
    if status == JobStatus.STOPPED:
        code = INTERRUPTED
    return Job(
        submission_id=str(details.submission_id),
        words=(details.metadata or {}).get("words", ""),
        is_over=status.is_terminal(),
        exit_code=code,
        message=details.message or "",
    )
