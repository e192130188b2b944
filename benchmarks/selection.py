"""Which configuration is the best: what one validation set says, and what 5-fold over videos says, against the truth.

Configurations are drawn at random from a study's space. Each is trained once on the official training items (hold-out,
as a search does), once for each of the folds by which a study ranks the best again, and with fresh seeds that are
tested. Printed are Spearman's correlations with the mean test error, and for searches of some of the configurations
the test error of what is chosen.

python benchmarks/selection.py --configurations 60                              planted data (quick)
python benchmarks/selection.py --configurations 40 --data DIR --csv FILE        CMU-MOSI; the same command goes on
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent.parent))
from mfm.objective import MFMObjective
from orchestrator.study.params import Params, derive
from orchestrator.study.runs import RERANK_FOLDS, Fingerprint, Pack, Phase, make_run
from orchestrator.study.study import Study
from studies import mosi_ablation
from studies.mfm_study.presets import ABLATION

COLUMNS = ("number", "hold_out", "folds", "test", "seconds_hold_out", "seconds_folds")
FINGERPRINT = Fingerprint(data_sha256="", code_sha256="")
DRAWS = 4000


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What configurations are trained on."""

    study: Study
    objective: MFMObjective
    seeds: int

    def measure(self, number: int) -> dict[str, float]:
        """A configuration in the three ways."""
        params = self.params(number)
        began = time.perf_counter()
        hold_out = self._mean(params, "search", [(0, None)], "valid_mae")
        between = time.perf_counter()
        folds = self._mean(params, "rerank", [(0, fold) for fold in range(RERANK_FOLDS)], "valid_mae")
        ended = time.perf_counter()
        test = self._mean(params, "confirm", [(1 + seed, None) for seed in range(self.seeds)], "test_mae")
        return {
            "number": number, "hold_out": hold_out, "folds": folds, "test": test,
            "seconds_hold_out": between - began, "seconds_folds": ended - between,
        }  # fmt: skip

    def params(self, number: int) -> Params:
        """A configuration of the reference, drawn at random."""
        return self.study.configuration(self.study.reference, _draw(self.study, number))

    def _mean(self, params: Params, phase: Phase, which: Sequence[tuple[int, int | None]], metric: str) -> float:
        return float(np.mean(self.results(params, phase, which, metric)))

    def results(
        self, params: Params, phase: Phase, which: Sequence[tuple[int, int | None]], metric: str
    ) -> list[float]:
        """What training it reaches, a value a seed and fold; they train as one pack.

        Args:
            params: the configuration.
            phase: whose items are trained on and scored.
            which: seeds and folds.
            metric: to be read.
        """
        arm = self.study.reference
        runs = tuple(
            make_run(self.study, FINGERPRINT, params, arm=arm, phase=phase, search=0, seed=seed, split=0, fold=fold)
            for seed, fold in which
        )
        training = self.objective.train(Pack(pack_id="bench", runs=runs))
        try:
            while True:
                next(training)
        except StopIteration as stop:
            return [float(stop.value[run.run_id].metrics[metric]) for run in runs]


def main() -> None:
    """Trains what is missing, and prints what all configurations say."""
    options = _options()
    known = _known(options.csv)
    bench = bench_of(options)
    for number in _missing(known, options):
        known.append(bench.measure(number))
        if options.csv is not None:
            _append(options.csv, known[-1])
    for line in report(known, searches=options.search, best=options.best):
        print(line)


def report(known: Sequence[Mapping[str, float]], *, searches: Sequence[int], best: Sequence[int]) -> Iterator[str]:
    """What the configurations say.

    Args:
        known: rows of `COLUMNS`.
        searches: numbers of configurations of a search, drawn from all of them.
        best: so many are ranked again.
    """
    finite = [row for row in known if np.isfinite([row["hold_out"], row["folds"], row["test"]]).all()]
    hold_out, folds, test = (np.array([row[name] for row in finite]) for name in ("hold_out", "folds", "test"))
    yield f"{len(finite)} of {len(known)} configurations; test MAE {test.min():.3f} to {test.max():.3f}"
    half = np.argsort(stats.rankdata(hold_out) + stats.rankdata(folds), kind="stable")[: len(test) // 2]
    for name, values in (("hold-out", hold_out), (f"{RERANK_FOLDS}-fold", folds)):
        near = _rank_correlation(values[half], test[half])
        yield f"Spearman of {name} with the test error: {_spearman(values, test)}; among the better half {near:.2f}"
    yield "Mean test MAE of what is chosen, by the length of the search; in hindsight: the best of each search"
    yield "".join(f"{word:>12}" for word in ("search of", "hold-out", *(f"best {b}" for b in best), "hindsight"))
    for number in searches:
        found = _choices(hold_out, folds, test, search=min(number, len(test)), best=best)
        yield f"{number:>12}" + "".join(f"{value:>12.4f}" for value in found)
    seconds = {name: np.mean([row[name] for row in known]) for name in COLUMNS[4:]}
    yield f"Seconds: hold-out {seconds['seconds_hold_out']:.1f}, folds as one pack {seconds['seconds_folds']:.1f}"


def _choices(
    hold_out: np.ndarray, folds: np.ndarray, test: np.ndarray, *, search: int, best: Sequence[int]
) -> np.ndarray:
    """Mean test error of the choice by hold-out, of the best so many ranked again, and in hindsight."""
    rng = np.random.default_rng(0)
    found = np.zeros((DRAWS, len(best) + 2))
    for i in range(DRAWS):
        drawn = rng.choice(len(test), search, replace=False)
        ranked = drawn[np.argsort(hold_out[drawn])]
        chosen = [ranked[:number][np.argmin(folds[ranked[:number]])] for number in best]
        found[i] = [test[ranked[0]], *test[chosen], test[drawn].min()]
    return found.mean(axis=0)


def _spearman(values: np.ndarray, test: np.ndarray) -> str:
    """With the bootstrap's percentile interval over configurations."""
    rng = np.random.default_rng(0)
    again = rng.integers(0, len(test), (2000, len(test)))
    low, high = np.quantile([_rank_correlation(values[i], test[i]) for i in again], [0.025, 0.975])
    return f"{_rank_correlation(values, test):.2f} ({low:.2f} to {high:.2f})"


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(stats.rankdata(one), stats.rankdata(other))[0, 1])


def _draw(study: Study, number: int) -> Params:
    """A configuration from the space: the hyperparameters that have a meaning."""
    sampler = optuna.samplers.RandomSampler(seed=derive(study.seed, "selection", number))
    trial = optuna.create_study(sampler=sampler).ask(dict(study.searched))
    return dict(trial.params)


def bench_of(options: argparse.Namespace) -> Bench:
    """On planted data, or CMU-MOSI.

    Args:
        options: `data`, `epochs` and `seeds`.
    """
    words = [] if options.data is None else ["--data", str(options.data)]
    question = mosi_ablation.ask(mosi_ablation.SCRIPT.parse(words))
    question = replace(question, params={**question.params, "encoder": "ef_lstm"})
    study = replace(question.study("quick", ABLATION["quick"]), epochs=options.epochs)
    objective = MFMObjective(
        question.dataset, folds=question.folds, metric=study.metrics.search, mode="min", rerank_folds=RERANK_FOLDS
    )
    return Bench(study=study, objective=objective, seeds=options.seeds)


def _missing(known: Sequence[Mapping[str, float]], options: argparse.Namespace) -> Iterator[int]:
    done, began = {int(row["number"]) for row in known}, time.monotonic()
    for number in range(options.configurations):
        if number not in done and time.monotonic() - began < 60 * options.minutes:
            yield number


def _known(path: Path | None) -> list[dict[str, float]]:
    if path is None or not path.exists():
        return []
    with path.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def _append(path: Path, row: Mapping[str, float]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list[str](COLUMNS))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", type=int, default=60, metavar="N")
    parser.add_argument("--data", type=Path, metavar="DIR", help="CMU-MOSI; without it, the quick planted set")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="fresh seeds that are tested (default: 3)")
    parser.add_argument("--epochs", type=int, default=20, metavar="N")
    parser.add_argument(
        "--search", type=int, nargs="+", default=[8, 16], metavar="N", help="configurations of a search"
    )
    parser.add_argument("--best", type=int, nargs="+", default=[2, 3, 5], metavar="N", help="so many are ranked again")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="results so far, to go on with")
    parser.add_argument("--minutes", type=float, default=1e9, metavar="M", help="begin nothing after this time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
