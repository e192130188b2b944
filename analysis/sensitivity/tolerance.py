"""How far the chosen configuration can be moved along each hyperparameter before it is predicted worse than seed noise.

A forest of the search runs predicts the search's metric with one hyperparameter moved and all others as they were
chosen. Seed noise is the standard deviation of that metric over the confirm seeds of the chosen configuration.
Predicted, and not tried: a hyperparameter that the search has hardly varied near the chosen one can hide a step.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd

from analysis.formatting import count, join, metric_name, short, spaced
from analysis.results.load import Results
from analysis.sensitivity.param_axis import Array, Axis
from analysis.sensitivity.random_forest import Forest, fit, not_installed
from analysis.sensitivity.search_runs import Trials, chosen_numbers

FEWEST_RUNS = 30  # below, a forest says nothing of single hyperparameters
FEWEST_SEEDS = 3
POINTS = 101  # along a number
TREES = 64
MOST_RUNS = 1000  # beyond, so many are drawn
BETWEEN = ", "  # choices


@dataclass(frozen=True, kw_only=True)
class Room:
    """One hyperparameter of one chosen configuration. The fields are the columns of `tables/tolerance.csv`."""

    arm: str
    search: int
    param: str
    chosen: str
    low: float  # of a number: the range around the chosen one; nan for a choice
    high: float
    choices: str  # of a choice: those that are as good
    is_whole: bool  # whether it may be anything that was searched
    seed_noise: float  # sd of the search metric over confirm seeds
    num_seeds: int
    num_runs: int  # search runs behind the prediction


TOLERANCE_COLUMNS = [field.name for field in fields(Room)]


def tolerance(results: Results, trials: Trials, *, seed: int = 0) -> pd.DataFrame:
    """One row a hyperparameter and search of the arm that the trials are of; no rows where there are too few runs."""
    chosen = chosen_numbers(results, trials.arm, trials.axes)
    rows = []
    for search, config_id in enumerate(results.study.chosen.get(trials.arm, ())):
        point_K = np.array([_at(chosen.get(axis.param, []), search) for axis in trials.axes])
        noise = _noise(results, trials, config_id)
        rows += rooms(trials, point_K, noise, search=search, seed=seed) if len(noise) >= FEWEST_SEEDS else []
    return pd.DataFrame([asdict(row) for row in rows], columns=pd.Index(TOLERANCE_COLUMNS))


def _at(numbers: list[float], search: int) -> float:
    return numbers[search] if search < len(numbers) else float("nan")


def _noise(results: Results, trials: Trials, config_id: str) -> Array:
    """The search metric of the configuration's confirm seeds."""
    runs = results.of(trials.arm, results.confirm)
    values = results.values(runs[runs["config_id"] == config_id], trials.metric).to_numpy()
    return values[np.isfinite(values)]


def rooms(trials: Trials, point_K: Array, noise_S: Array, *, search: int = 0, seed: int = 0) -> list[Room]:
    """One configuration's; empty where too few runs have its hyperparameters.

    Args:
        trials: the search runs.
        point_K: the configuration; nan: a hyperparameter without a meaning in it.
        noise_S: the search metric over its confirm seeds.
    """
    active_K = np.isfinite(point_K)
    rows = np.flatnonzero(trials.active_NK[:, active_K].all(axis=1))
    if len(rows) < FEWEST_RUNS:  # too few have its conditional hyperparameters: nothing is said of these
        active_K = active_K & trials.active_NK.all(axis=0)
        rows = np.flatnonzero(trials.active_NK[:, active_K].all(axis=1))
    if len(rows) < FEWEST_RUNS or not active_K.any() or not np.ptp(trials.loss_N[rows]) or not_installed("sklearn"):
        return []
    axes = [axis for axis, active in zip(trials.axes, active_K, strict=True) if active]
    point = np.array([axis.encode(x) for axis, x in zip(axes, point_K[active_K], strict=True)])
    some = trials[rows].at_most(MOST_RUNS, seed=seed)
    forest = fit(some.unit_NK[:, active_K], some.capped_N, num_trees=TREES, seed=seed)
    sd = float(noise_S.std(ddof=1))
    known = {"arm": trials.arm, "search": search, "seed_noise": sd, "num_seeds": len(noise_S), "num_runs": len(some)}
    return [
        Room(param=axis.param, **known, **_room(axis, forest, point, k, sd, chosen=point_K[active_K][k]))  # type: ignore[arg-type]
        for k, axis in enumerate(axes)
    ]


def _room(axis: Axis, forest: Forest, point: Array, k: int, sd: float, *, chosen: float) -> dict[str, object]:
    unit_G = axis.encode(np.arange(len(axis.choices))) if axis.choices else np.linspace(0, 1, POINTS)
    here = int(np.abs(unit_G - point[k]).argmin())
    loss_G = forest.along(k, unit_G, point)
    good_G = loss_G <= loss_G[here] + sd
    if axis.choices:
        names = [str(choice) for choice, good in zip(axis.choices, good_G, strict=True) if good]
        return {
            "chosen": str(axis.choices[int(chosen)]), "low": float("nan"), "high": float("nan"),
            "choices": BETWEEN.join(names), "is_whole": bool(good_G.all()),
        }  # fmt: skip
    bad = np.flatnonzero(~good_G)
    first = int(bad[bad < here].max(initial=-1)) + 1
    last = int(bad[bad > here].min(initial=len(unit_G))) - 1
    low, high = (float(x) for x in axis.decode(unit_G[[first, last]]))
    return {
        "chosen": short(float(chosen)), "low": low, "high": high, "choices": "", "is_whole": bool(good_G.all()),
    }  # fmt: skip


def in_words(table: pd.DataFrame, trials: Trials) -> str:
    """What the table says of the first search, in sentences; empty where it has no rows.

    Args:
        table: of `tolerance`.
        trials: what it was computed from.
    """
    if table.empty:
        return ""
    own = table[table["search"] == table["search"].min()]
    first = own.iloc[0]
    tight = own[~own["is_whole"]]
    free = f"{count(len(own) - len(tight), 'hyperparameter')} of {len(own)} may be anything that was searched"
    bound = join([_bounds(row) for _, row in tight.iterrows()])
    noise = f"seed noise ({short(first['seed_noise'])}, sd over {first['num_seeds']} seeds)"
    return (
        f"With the others as chosen, {free}{'; ' * bool(bound)}{bound}: beyond, {metric_name(trials.metric)} is "
        f"predicted worse by more than {noise}. From a forest of {first['num_runs']} search runs: predicted, not tried."
    )


def ranges(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Hyperparameter -> its range in the first search's configuration, of numbers that may not be anything.

    Args:
        table: of `tolerance`.
    """
    own = table[(table["search"] == table["search"].min()) & ~table["is_whole"].astype(bool) & table["low"].notna()]
    return {row["param"]: (row["low"], row["high"]) for _, row in own.iterrows()}


def _bounds(row: pd.Series) -> str:
    if row["choices"]:
        return f"{spaced(row['param'])} {' or '.join(row['choices'].split(BETWEEN))}"
    return f"{spaced(row['param'])} {short(row['low'])} to {short(row['high'])}"
