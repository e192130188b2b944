"""Ray's authentication token. Ray reads the mode once, when it is imported: this module does not import it."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


def use_if_there() -> None:
    """Connects with the token where there is one, also to an address that was given; a cluster without one ignores it.

    `ray start --head` asks for the token as soon as the file exists, and any local Ray writes the file.
    """
    if TOKEN in os.environ or _path().exists():
        os.environ.setdefault(MODE, "token")


def keep_private() -> None:
    """Sees to it that nobody else can read the token of this user, before a local Ray asks for it.

    Ray would make it readable for every user of the machine. It is left alone where the environment names another.
    """
    if {TOKEN, TOKEN_PATH} & os.environ.keys() or os.environ.get(MODE, "token") != "token":
        return
    path = _path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        path.chmod(0o600)
        return
    aside = path.with_name(f"{path.name}-{secrets.token_hex(8)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    with suppress(FileExistsError):  # another study has been faster
        path.hardlink_to(aside)
    aside.unlink()


def _path() -> Path:
    return Path(os.environ.get(TOKEN_PATH, Path.home() / ".ray" / "auth_token"))
