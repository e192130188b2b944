"""Logs runs with W&B, offline: folder begin|again arm:seed ...."""

import sys
import time

import toy
import wandb

folder, phase, *words = sys.argv[1:]
is_again = phase == "again"
more = {"resume": "allow"} if is_again else {}
for arm, seed in toy.runs(words):
    run = wandb.init(
        project="toy", dir=folder, id=f"{arm}-{seed}", mode="offline", group=arm, reinit="finish_previous",
        config={"arm": arm, "seed": seed, "lr": 1e-3},
        settings=wandb.Settings(x_transaction_log_flush_interval=0.1), **more,
    )  # fmt: skip
    for epoch in range(1 if is_again else 0, toy.EPOCHS):
        run.log({**toy.metrics(arm, seed, epoch), "epoch": epoch})
        if epoch == 1 and not is_again:
            if (arm, seed) in (toy.KILLED, toy.RESUMED):
                time.sleep(1)
                toy.die()
            if (arm, seed) == toy.RAISING:
                raise RuntimeError("no luck")
    run.finish()
