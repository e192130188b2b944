"""The global generators of random numbers, of Python, NumPy and PyTorch: every run has them to itself.

Runs of one pack train in turn in one process, where a run that draws from a global generator would go on with the
numbers of another.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

PREFIX = "random "  # of their names in a state that is kept
_GLOBAL: Any = np.random  # its functions that take and put generators have no types


def start(seed: int) -> None:
    """Starts generators of a run's own with its seed. PyTorch's are those of a program that has imported it."""
    random.seed(seed)
    _GLOBAL.set_bit_generator(np.random.MT19937())  # another generator is quicker to put than its state
    np.random.seed(seed % 2**32)
    if (torch := _torch()) is not None:
        torch.manual_seed(seed)


def take() -> dict[str, Any]:
    """The generators as they are."""
    states: dict[str, Any] = {"python": random.getstate(), "numpy": _GLOBAL.get_bit_generator()}
    if (torch := _torch()) is not None:
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def put(states: Mapping[str, Any]) -> None:
    """Goes on with generators that were taken. NumPy then forgets the second of two normal numbers drawn at once."""
    random.setstate(states["python"])
    _GLOBAL.set_bit_generator(states["numpy"])
    if "torch" in states and (torch := _torch()) is not None:
        torch.set_rng_state(states["torch"])
        if "cuda" in states:
            torch.cuda.set_rng_state_all(states["cuda"])


def plain(states: Mapping[str, Any]) -> dict[str, Any]:
    """Generators as arrays and plain values, which a checkpoint can hold."""
    version, words, gauss = states["python"]
    inner = states["numpy"].state["state"]
    kept = {
        "python": np.array(words, dtype=np.uint32), "python version": version, "python gauss": repr(gauss),
        "numpy": inner["key"], "numpy position": inner["pos"],
    }  # fmt: skip
    if "torch" in states:
        kept["torch"] = states["torch"].numpy()
    for number, state in enumerate(states.get("cuda", ())):
        kept[f"cuda {number}"] = state.numpy()
    return {PREFIX + name: value for name, value in kept.items()}


def of_plain(kept: Mapping[str, Any]) -> dict[str, Any] | None:
    """Generators from what `plain` gave, among other things; None: there are none."""
    known = {name.removeprefix(PREFIX): value for name, value in kept.items() if name.startswith(PREFIX)}
    if not known:
        return None
    gauss = None if known["python gauss"] == "None" else float(known["python gauss"])
    words = tuple(int(word) for word in known["python"])
    numpy: Any = np.random.MT19937()
    inner = {"key": np.asarray(known["numpy"]), "pos": int(known["numpy position"])}
    numpy.state = {"bit_generator": "MT19937", "state": inner}
    states: dict[str, Any] = {"python": (int(known["python version"]), words, gauss), "numpy": numpy}
    if "torch" in known and (torch := _torch()) is not None:
        states["torch"] = torch.from_numpy(np.array(known["torch"]))
        cuda = [known[f"cuda {number}"] for number in range(len(known)) if f"cuda {number}" in known]
        if cuda:
            states["cuda"] = [torch.from_numpy(np.array(state)) for state in cuda]
    return states


def _torch() -> Any:
    """PyTorch, where the program uses it."""
    return sys.modules.get("torch")
