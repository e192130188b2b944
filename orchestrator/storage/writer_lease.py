"""One writer per results address on object storage: a lease that its holder renews, and that runs out with it.

With conditional puts no two drivers can hold it; on a store without them it is best effort. A driver that could not
renew it in time (it was cut off, or slept) writes nothing more.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from orchestrator.storage.object_store import LEASE, Bucket

logger = logging.getLogger(__name__)

# A clock that goes on while the machine sleeps, where the system has one: a lease runs out meanwhile.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
SECONDS = 60.0  # that a lease lasts
RENEWALS = 4  # in this time


class LeaseLostError(OSError):
    """The lease ran out, or another driver has it."""


def awake_or_asleep() -> float:
    """Seconds on a clock that counts the machine's sleep."""
    return time.clock_gettime(CLOCK)


def holder_of_lease(bucket: Bucket, *, seconds: float = SECONDS) -> dict[str, Any] | None:
    """Who holds the lease of an address; None: nobody, or one who has given it back or let it run out."""
    try:
        written, owner = bucket.head(LEASE)["last_modified"], json.loads(bucket.get(LEASE))
    except FileNotFoundError:
        return None
    age = (datetime.now(UTC) - written).total_seconds()
    return None if owner.get("released") or age >= seconds else owner


class Lease:
    """The lease of a results address, renewed by a thread until `release`.

    Args:
        owner: who asks for it, for a message to others.

    Raises:
        FileExistsError: another driver holds it; the message is its owner as JSON.
    """

    def __init__(
        self,
        bucket: Bucket,
        owner: Mapping[str, Any],
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = awake_or_asleep,
    ) -> None:
        self._bucket, self._seconds, self._clock = bucket, seconds, clock
        self._owner = dict(owner)
        self._renewed_at, self._is_lost = clock(), False  # before it is asked for, as the store may have it
        self._tag = self._take()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises a LeaseLostError unless the lease is held, with time to spare for one write."""
        if self._is_lost or self._clock() - self._renewed_at > 0.75 * self._seconds:
            raise LeaseLostError(
                f"the lease on {self._bucket.address} could not be renewed in time: another driver may be at work"
            )

    def release(self) -> None:
        """Gives it back."""
        self._over.set()
        self._thread.join()
        if not self._is_lost:
            with suppress(OSError):  # it is another's by now, or it runs out by itself
                self._bucket.replace(LEASE, self._with(released=True), self._tag)

    def _take(self) -> str | None:
        try:
            return self._bucket.create(LEASE, self._with(taken=time.time()))
        except FileExistsError:
            head, holder = self._bucket.head(LEASE), self._bucket.get(LEASE)
            age = (self._bucket.now() - head["last_modified"]).total_seconds()
            if age < self._seconds and not json.loads(holder).get("released"):
                raise FileExistsError(holder.decode()) from None
            return self._bucket.replace(LEASE, self._with(taken=time.time()), head["e_tag"])

    def _with(self, **facts: Any) -> bytes:
        return json.dumps(self._owner | facts).encode()

    def _renew(self) -> None:
        while not self._over.wait(self._seconds / RENEWALS):
            began = self._clock()
            try:
                # The contents change, or the tag of a store that hashes them would not.
                self._tag = self._bucket.replace(LEASE, self._with(renewed=time.time()), self._tag)
                self._renewed_at = began
            except FileExistsError:
                self._is_lost = True
                logger.error("another driver has taken the lease on %s", self._bucket.address)
                return
            except OSError as error:
                logger.warning("the lease on %s was not renewed: %s", self._bucket.address, error)
