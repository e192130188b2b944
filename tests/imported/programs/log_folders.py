"""Writes metrics.json beside config.json, as a plain script does: folder begin|again arm:seed ...."""

import json
import sys
from pathlib import Path

import toy

folder, phase, *words = sys.argv[1:]
is_again = phase == "again"
for arm, seed in toy.runs(words):
    path = Path(folder) / f"run_{arm}_{seed}"
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps({"model": {"arm": arm}, "seed": seed}))
    rows = [] if not is_again else json.loads((path / "metrics.json").read_text())
    for epoch in range(len(rows), toy.EPOCHS):
        rows.append({"epoch": epoch, **toy.metrics(arm, seed, epoch)})
        (path / "metrics.json").write_text(json.dumps(rows))
        if epoch == 1 and not is_again:
            if (arm, seed) in (toy.KILLED, toy.RESUMED):
                toy.die()
            if (arm, seed) == toy.RAISING:
                raise RuntimeError("no luck")
