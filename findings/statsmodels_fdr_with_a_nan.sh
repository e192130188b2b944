#!/usr/bin/env bash
# Versions: statsmodels 0.15.0, numpy 2.4.6, Python 3.11 to 3.13.
# Behaviour: one p value of four is NaN, of an arm whose runs failed. Holm's correction leaves NaN where it was and counts the
#   arm. The Benjamini-Hochberg correction of the same function turns every corrected p into NaN, and still answers that the
#   first hypothesis is rejected: the two arrays that it returns contradict each other.
# Seen: "holm: rejected [True, False, False, False], p nan 1 of 4; fdr_bh: rejected [True, False, False, False], p nan 4 of 4"
# One would guess an error, or that both corrections treat NaN alike. What helps: a failed arm enters with p = 1.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import numpy as np
from statsmodels.stats.multitest import multipletests

told = []
for method in ("holm", "fdr_bh"):
    rejected, p, *_ = multipletests([0.01, np.nan, 0.2, 0.03], method=method)
    told.append(f"{method}: rejected {rejected.tolist()}, p nan {np.isnan(p).sum()} of {len(p)}")
print("; ".join(told))
PY
seen=$("$place/venv/bin/python" "$place/try.py" 2>/dev/null)
echo "$seen"
test "$seen" = "holm: rejected [True, False, False, False], p nan 1 of 4; fdr_bh: rejected [True, False, False, False], p nan 4 of 4"
