"""Ray's authentication token. Ray reads the mode once, when it is imported: this module does not import it."""

from __future__ import annotations

import os
from pathlib import Path

MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


def use_if_there() -> None:
    """Connects with the token where there is one, also to an address that was given; a cluster without one ignores it.

    `ray start --head` asks for the token as soon as the file exists, and any local Ray writes the file.
    """
    path = Path(os.environ.get(TOKEN_PATH, Path.home() / ".ray" / "auth_token"))
    if TOKEN in os.environ or path.exists():
        os.environ.setdefault(MODE, "token")
