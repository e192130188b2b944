"""What the shared factor has to do with each generated modality: dependence and gradients, as means over seeds.

A row of `evaluations` under the condition "interpretation" is one number of one run (mfm/interpretation.py).
"""

from __future__ import annotations

import pandas as pd

from analysis.load import Results
from analysis.robustness import means, of_confirm

CONDITION = "interpretation"
GRADIENT = "gradient"
COLUMNS = ["arm", "modality", "metric", "step", "n_seeds", "mean", "sd", "ci_low", "ci_high"]


def interpretation(results: Results) -> pd.DataFrame:
    """Every measure by arm and modality; of gradients, by step too (0: a modality without steps).

    Intervals are Student's over seeds: they cover retraining, not other test items.
    """
    rows = of_confirm(results)
    rows = rows[rows["condition"] == CONDITION].rename(columns={"level": "step"})
    return means(rows.fillna({"step": 0}).astype({"step": int}), ["arm", "modality", "metric", "step"])[COLUMNS]
