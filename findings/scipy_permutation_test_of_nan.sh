#!/usr/bin/env bash
# Versions: scipy 1.17.1, numpy 2.4.6, Python 3.11 to 3.13.
# Behaviour: one failed seed (NaN) among ten paired differences makes the exact sign-flip test of SciPy say p = 0.
#   Every comparison with NaN is false, so no permutation counts as being as extreme.
# Seen: "without the failed seed p = 0.312, with it p = 0.0"
# One would guess NaN, an error, or the p without that pair. What helps: leave failed pairs out, count them, refuse NaN.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cd "$place"
cat >try.py <<'PY'
import numpy as np
from scipy import stats

arm = np.array([0.91, 0.94, 0.90, 0.97, 0.93, 0.95, 0.92, 0.96, 0.94, 0.93])
reference = np.array([0.92, 0.92, 0.91, 0.95, 0.92, 0.94, 0.93, 0.95, 0.92, 0.92])
failed = arm.copy()
failed[3] = np.nan


def p(a, b):
    test = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    return round(float(test.pvalue), 3)


there = ~np.isnan(failed)
print(f"without the failed seed p = {p(failed[there], reference[there])}, with it p = {p(failed, reference)}")
PY
seen=$(venv/bin/python try.py)
echo "$seen"
test "$seen" = "without the failed seed p = 0.312, with it p = 0.0"
