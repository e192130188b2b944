"""How long verdicts of runs that were made elsewhere take, from the command to the page, as whole processes.

    python benchmarks/imports.py

A thousand runs (20 seeds of 50 arms), and a million rows of epochs (the same, 1,000 epochs each) as CSV, Parquet, JSON
lines and a row a value; beside them the floor: a process that imports pandas, SciPy and Matplotlib and reads the file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ARMS, SEEDS, EPOCHS = 50, 20, 1000
ASKED = ("--reference", "arm0", "--minimise", "loss", "--smallest-effect", ".03")
FLOOR = "import sys, pandas, scipy.stats, matplotlib.pyplot; pandas.read_{}(sys.argv[1])"


def write(folder: Path) -> dict[str, str]:
    """The files, and what reads each of them."""
    rng = np.random.default_rng(0)
    keys = pd.MultiIndex.from_product([[f"arm{a}" for a in range(ARMS)], range(SEEDS)], names=["arm", "seed"])
    runs = keys.to_frame(index=False).assign(loss=1 + 0.02 * rng.normal(size=len(keys)))
    epochs = runs.loc[runs.index.repeat(EPOCHS)].reset_index(drop=True)
    epochs["epoch"] = np.tile(np.arange(EPOCHS), len(runs))
    epochs["loss"] += 1 / (1 + epochs["epoch"])
    runs.to_csv(folder / "runs.csv", index=False)
    epochs.to_csv(folder / "epochs.csv", index=False)
    epochs.to_parquet(folder / "epochs.parquet")
    epochs.to_json(folder / "epochs.jsonl", orient="records", lines=True)
    epochs.melt(id_vars=["arm", "seed", "epoch"], var_name="metric").to_csv(folder / "values.csv", index=False)
    return {
        "runs.csv": "csv", "epochs.csv": "csv", "epochs.parquet": "parquet", "epochs.jsonl": "json", "values.csv": "csv"
    }  # fmt: skip


def seconds(*words: str, folder: Path) -> float:
    """Of a process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Prints a table."""
    print("| file | rows | to the page, s | verdicts alone (--json), s | floor, s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, reader in write(folder).items():
            code = FLOOR.format(reader)
            floor = seconds(
                "-c", code.replace("[1])", "[1], lines=True)") if reader == "json" else code, file, folder=folder
            )
            page = seconds("-m", "analysis", file, *ASKED, folder=folder)
            alone = seconds("-m", "analysis", file, *ASKED, "--json", folder=folder)
            rows = ARMS * SEEDS * (1 if file == "runs.csv" else EPOCHS)
            print(f"| {file} | {rows:,} | {page:.1f} | {alone:.1f} | {floor:.1f} |", flush=True)


if __name__ == "__main__":
    main()
