"""Runs the toy study with Ray Tune, a trial a run: folder begin|again."""

import sys
import time

import ray
import toy
from ray import tune

folder, phase = sys.argv[1:]


def train(config: dict) -> None:
    """One run. What is to be killed goes with its worker; what is to stay unfinished is still at it."""
    arm, seed = config["arm"], config["seed"]
    for epoch in range(toy.EPOCHS):
        tune.report(toy.metrics(arm, seed, epoch))
        if epoch == 1 and phase == "begin":
            if (arm, seed) == toy.RESUMED:
                toy.die()
            if (arm, seed) == toy.RAISING:
                raise RuntimeError("no luck")
        if epoch == 1 and (arm, seed) == toy.KILLED:
            time.sleep(1)
            toy.die()


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
if phase == "begin":
    space = {"arm": tune.grid_search(list(toy.ARMS)), "seed": tune.grid_search(list(toy.SEEDS)), "lr": 1e-3}
    tuner = tune.Tuner(train, param_space=space, run_config=tune.RunConfig(name="toy", storage_path=folder, verbose=0))
else:
    tuner = tune.Tuner.restore(f"{folder}/toy", train, resume_errored=True)
tuner.fit()
