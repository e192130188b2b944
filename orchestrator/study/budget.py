"""How much of a study is run: the numbers that presets, the command line, a study and its `study.json` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

# The seeds of a study lie this far from those of another study seed.
SEED_STRIDE = 10**6
MOST_EPOCHS = 100_000  # of a program that has its own number
PLAIN = (bool, int, str, tuple)
# The smallest value of each whole number.
LEAST = {
    "trials": 0,
    "seeds": 0,
    "epochs": 1,
    "searches": 1,
    "rerank": 0,
    "uniform": 1,
    "completions": 1,
    "pack_size": 1,
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much of a study is run.

    >>> Budget(trials=8, seeds=10, epochs=20).frozen
    False

    Args:
        trials: search runs per arm; 0: every arm is confirmed as it is.
        seeds: confirm runs per arm; with looks, the most.
        epochs: of every run.
        searches: independent searches per arm, which share its trials.
        rerank: so many of the best of every search are ranked again by k-fold before one is chosen; 0: the search alone
            decides. An objective meets these runs as phase "rerank": the test items of `Run.split` stay unseen, and of
            its other items the fold `Run.fold` of RERANK_FOLDS is valid.
        uniform: trials that every search begins with, drawn uniformly from the space (the first is the default): what
            explains the whole range is asked of them where they are enough.
        completions: search runs that share one suggestion's structure and differ in fusable hyperparameters.
        pack_size: most runs that train together.
        looks: adaptive seeds: after so many confirm seeds a rule says which arms go on; empty: one look, at `seeds`.
        frozen: every arm is confirmed a second time with the hyperparameters that the reference's search chose: does a
            component only look useful because the other hyperparameters were tuned for it?
        sampler: of the searches: "tpe", "gp", "cmaes", "random", "qmc", "grid", "auto", or a function of a seed
            that returns a sampler of Optuna (OptunaHub's, too); it is made anew for every suggestion.
        pruner: of the searches: "halving", "none", "hyperband", "median", "percentile", "wilcoxon", "threshold=X",
            or a pruner of Optuna.

    Raises:
        ValueError: a number is out of its range.
    """

    trials: int = 0
    seeds: int = 10
    epochs: int = 1
    searches: int = 1
    rerank: int = 0
    uniform: int = 10
    completions: int = 1
    pack_size: int = 8
    looks: tuple[int, ...] = ()
    frozen: bool = False
    sampler: str | Callable[[int], Any] = "tpe"
    pruner: Any = "halving"

    def __post_init__(self) -> None:
        for name, low in LEAST.items():
            require_number(name, getattr(self, name), low)
        if self.trials and self.trials < self.searches:
            raise ValueError(
                f"{self.searches} searches per arm need at least as many trials; got {self.trials}. "
                "Give more trials, or fewer searches"
            )
        if self.looks and (sorted(set(self.looks)) != list(self.looks) or self.looks[-1] != self.seeds):
            raise ValueError(f"looks must grow up to the {self.seeds} seeds; got {self.looks}")
        if self.seeds + self.searches > SEED_STRIDE:
            raise ValueError(f"seeds and searches must be at most {SEED_STRIDE} together; got {self.seeds}")

    @classmethod
    def names(cls) -> list[str]:
        """The names of its numbers."""
        return [field.name for field in fields(cls)]

    @property
    def named(self) -> dict[str, Any]:
        """Its numbers by their names, plain values: of a sampler and a pruner that have none, the class."""
        values = {name: getattr(self, name) for name in self.names()}
        return {name: value if isinstance(value, PLAIN) else _name_of(value) for name, value in values.items()}

    @property
    def rung(self) -> int:
        """The only epoch after which a search run may be pruned.

        After half of the epochs, the better half of an arm's trials so far goes on. More rungs save more and leave too
        few completed trials to say what a hyperparameter does.
        """
        return max(1, (self.epochs + 1) // 2)

    @property
    def num_looks(self) -> int:
        """How often the number of seeds is decided on, the last included."""
        return len(self.looks) or 1

    def trials_of(self, search: int) -> int:
        """Search runs of one of an arm's searches."""
        return len(range(search, self.trials, self.searches))

    def num_seeds(self, look: int) -> int:
        """Confirm seeds per arm up to a look."""
        return (self.looks or (self.seeds,))[look]

    def confirm_seeds(self, search: int, look: int) -> range:
        """Indices of the confirm seeds up to a look that belong to one of an arm's searches."""
        return range(search, self.num_seeds(look), self.searches)


def _name_of(value: Any) -> str:
    return getattr(value, "__qualname__", type(value).__qualname__)


def first_seed(study_seed: int) -> int:
    """The seed of the first confirm run; the others count on from it, and it is 1 for the study seed 0."""
    return study_seed * SEED_STRIDE + 1


def require_number(name: str, value: Any, low: int) -> None:
    """Raises a ValueError unless `value` is a whole number, an int, of at least `low`."""
    if type(value) is not int:
        raise ValueError(f"{name} must be a whole number, an int; got {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}; got {value}")
