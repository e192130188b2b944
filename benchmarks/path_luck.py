"""What an ablation path reports on the seeds that chose it, and on fresh ones, where no component makes a difference.

    python benchmarks/path_luck.py [--components 4 8] [--seeds 10] [--sd 0.035] [--studies 4000]

Every arm has the same true error. At each step the component goes without which the mean over the choosing seeds is
lowest. Printed are the mean change of the first and the last step, how often their 95 % intervals hold 0, and the share
of studies in which some step is called different (sign-flip test over paired seeds, Holm over the steps).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from analysis.statistics.paired_tests import ALPHA, holm, paired_t_interval
from analysis.statistics.sign_flips import sign_flip_p


def walk(rng: np.random.Generator, *, k: int, seeds: int, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """The errors of the arms on the path, [k + 1, seeds]: on the seeds that chose it, and on fresh ones."""
    chosen = [rng.normal(0, sd, seeds)]
    for left in range(k, 0, -1):
        candidates = rng.normal(0, sd, (left, seeds))
        chosen.append(candidates[candidates.mean(axis=1).argmin()])
    return np.stack(chosen), rng.normal(0, sd, (k + 1, seeds))


def main() -> None:
    """Prints a row for each number of components and set of seeds."""
    options = _options()
    print(f"{'components':>10}  {'reported on':<16} {'first step':>10} {'last step':>10} {'coverage':>9} {'false':>8}")
    for k in options.components:
        rng = np.random.default_rng(options.seed)
        studies = [walk(rng, k=k, seeds=options.seeds, sd=options.sd) for _ in range(options.studies)]
        for name, which in (("choosing seeds", 0), ("fresh seeds", 1)):
            d_NKS = np.stack([np.diff(study[which], axis=0) for study in studies])
            first, last = d_NKS[:, 0].mean(), d_NKS[:, -1].mean()
            ends = [paired_t_interval(d_S) for d_KS in d_NKS for d_S in (d_KS[0], d_KS[-1])]
            coverage = np.mean([low <= 0 <= high for low, high in ends])
            false = np.mean([min(holm([sign_flip_p(d_S) for d_S in d_KS])) <= ALPHA for d_KS in d_NKS])
            print(f"{k:>10}  {name:<16} {first:>+10.4f} {last:>+10.4f} {100 * coverage:>7.1f} % {100 * false:>6.1f} %")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--components", type=int, nargs="+", default=[4, 8], metavar="K")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="per arm (default: 10)")
    parser.add_argument("--sd", type=float, default=0.035, metavar="X", help="over seeds, as on CMU-MOSI")
    parser.add_argument("--studies", type=int, default=4000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    main()
