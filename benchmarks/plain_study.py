"""The quick MOSI ablation as one would write it without this project: plain MFM, plain Ray Tune, a trial a run.

    python benchmarks/plain_study.py [--trials 16] [--seeds 10] [--epochs 20]

The same planted data, arms, widths, space, numbers of trials, seeds and epochs as `studies/mosi_ablation.py` has: each
arm is searched with OptunaSearch and ASHA, and its best configuration trained with fresh seeds; at the end stand means
and standard deviations. Encoders are nn.LSTM, the decoders loop over cells since their input is their own state.
benchmarks/whole_study.py times it beside ours.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from typing import Any

import torch
from plain_mfm import Decoder, TwoLayers, mmd
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from torch import Tensor, nn

from mfm.data.dataset import Dataset
from mfm.params.config import Config, base
from studies.mfm_study import arms, planted_data, space
from studies.mosi_ablation import QUICK_ARMS

Arrays = Mapping[str, Mapping[str, Any]]  # fold -> modality or "target" -> values


class Encoder(nn.Module):
    """The last hidden state of an LSTM, through a square affine map."""

    def __init__(self, num_features: int, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(num_features, width)
        self.affine = nn.Linear(width, width)

    def forward(self, x_TBD: Tensor) -> Tensor:
        """The code z (B, width)."""
        return self.affine(self.lstm(x_TBD)[1][0][0])


class AblatedMFM(nn.Module):
    """MFM with an EF-LSTM, without what an arm removes."""

    def __init__(self, config: Config, features: Mapping[str, int]) -> None:
        super().__init__()
        self.config, own = config, config.modalities
        shared = config.f_y if config.multimodal_factor == "factor" else 0
        factors = {m: own[m].f for m in features} if config.generative_factors == "modality" else {}
        if shared:
            self.lstm = nn.LSTM(sum(features.values()), config.ef_hidden)
            self.code_y = nn.Linear(config.ef_hidden, config.z_y)
            self.map_y = TwoLayers(config.z_y, config.f_y, config.f_y, config.dropout_y)
        self.encoders = nn.ModuleDict({m: Encoder(features[m], own[m].z) for m in factors})
        self.maps = nn.ModuleDict({m: TwoLayers(own[m].z, own[m].f, own[m].f, own[m].dropout) for m in factors})
        self.decoders = nn.ModuleDict({m: Decoder(shared + factors.get(m, 0), features[m]) for m in features})
        read = shared or sum(factors.values())
        self.label = TwoLayers(read, shared or read, 1, config.dropout_label)

    def forward(self, x: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        """Codes, factors and the prediction (B, 1)."""
        z = {m: encoder(x[m]) for m, encoder in self.encoders.items()}
        f = {m: torch.relu(self.maps[m](code)) for m, code in z.items()}
        if self.config.multimodal_factor == "factor":
            z["y"] = self.code_y(self.lstm(torch.cat(list(x.values()), dim=2))[1][0][0])
            f["y"] = torch.relu(self.map_y(z["y"]))
        return z, f, self.label(f["y"] if "y" in f else torch.cat(list(f.values()), dim=1))

    def loss(self, x: Mapping[str, Tensor], y_B1: Tensor) -> Tensor:
        """The objective of one batch."""
        z, f, prediction = self(x)
        loss = self.config.weight_label * (prediction - y_B1).abs().mean()
        for m, decoder in self.decoders.items() if self.config.generative_loss else ():
            condition = torch.cat([f[name] for name in ("y", m) if name in f], dim=1)
            x_hat = decoder(condition, len(x[m]))
            loss = loss + self.config.modalities[m].weight * (x_hat - x[m]).square().mean()
        for code in z.values() if self.config.prior != "none" else ():
            loss = loss + self.config.weight_prior * mmd(code, torch.randn_like(code))
        return loss


def train(settings: dict[str, Any], arrays: Arrays) -> None:
    """One run: reports validation MAE every epoch, and the test MAE of the best epoch at the last."""
    torch.set_num_threads(1)
    torch.manual_seed(settings["seed"])
    config = Config.from_params(settings["params"] | settings.get("searched", {}), settings["modalities"])
    parts = {fold: {m: torch.from_numpy(values) for m, values in own.items()} for fold, own in arrays.items()}
    model = AblatedMFM(config, {m: parts["train"][m].shape[2] for m in config.used})
    optimiser = torch.optim.Adam(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    best, kept = float("inf"), model.state_dict()
    for epoch in range(1, settings["epochs"] + 1):
        model.train()
        for rows in torch.randperm(len(parts["train"]["target"])).split(config.batch_size):
            optimiser.zero_grad()
            model.loss(*_batch(parts["train"], config, rows)).backward()
            optimiser.step()
        if (valid := _mae(model, parts["valid"])) < best:
            best, kept = valid, {name: value.clone() for name, value in model.state_dict().items()}
        result = {"valid_mae": best}
        if epoch == settings["epochs"]:
            model.load_state_dict(kept)
            result["test_mae"] = _mae(model, parts["test"])
        tune.report(result)


def _batch(part: Mapping[str, Tensor], config: Config, rows: Tensor | slice) -> tuple[dict[str, Tensor], Tensor]:
    return {m: part[m][rows].transpose(0, 1) for m in config.used}, part["target"][rows]


@torch.no_grad()
def _mae(model: AblatedMFM, part: Mapping[str, Tensor]) -> float:
    model.eval()
    x, y = _batch(part, model.config, slice(None))
    return float((model(x)[2] - y).abs().mean())


def study(data: Dataset, *, num_trials: int, num_seeds: int, epochs: int) -> dict[str, list[float]]:
    """Test MAE by arm."""
    modalities = data.modality_names
    every = {m.name: m.values for m in data.modalities} | {"target": data.target}
    rows = {fold: data.rows(fold) for fold in ("train", "valid", "test")}
    arrays = {fold: {m: values[own] for m, values in every.items()} for fold, own in rows.items()}
    own = base(modalities, **planted_data.quick_params(modalities))
    result = {}
    for arm in arms.named(arms.ablation(modalities, encoder="ef_lstm"), (arms.REFERENCE, *QUICK_ARMS)):
        settings = {"params": own | arm.pins, "modalities": modalities, "epochs": epochs}
        best = search(settings, arrays, num_trials) if num_trials else {}
        result[arm.name] = confirm(settings | {"searched": best}, arrays, num_seeds)
    return result


def search(settings: dict[str, Any], arrays: Arrays, num_trials: int) -> dict[str, Any]:
    """The best of so many suggestions."""
    tuned = {param: _domain(d) for param, d in space.quick(settings["modalities"]).items()}
    grace = max(1, settings["epochs"] // 2)
    found = _fit(
        settings | {"seed": 0, "searched": tuned}, arrays, metric="valid_mae", mode="min", num_samples=num_trials,
        search_alg=OptunaSearch(), scheduler=ASHAScheduler(grace_period=grace, max_t=settings["epochs"]),
    )  # fmt: skip
    return found.get_best_result().config["searched"]


def confirm(settings: dict[str, Any], arrays: Arrays, num_seeds: int) -> list[float]:
    """Test MAE of fresh seeds."""
    found = _fit(settings | {"seed": tune.grid_search(list(range(1, num_seeds + 1)))}, arrays)
    return [result.metrics["test_mae"] for result in found]


def _fit(settings: dict[str, Any], arrays: Arrays, **options: Any) -> tune.ResultGrid:
    with tempfile.TemporaryDirectory() as folder:
        return tune.Tuner(
            tune.with_parameters(train, arrays=arrays),
            param_space=settings,
            tune_config=tune.TuneConfig(**options),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()


def _domain(distribution: Any) -> Any:
    """What Tune calls the range of a hyperparameter."""
    low, high = distribution.low, distribution.high
    if isinstance(low, int):
        return tune.qrandint(low, high, distribution.step)
    return tune.loguniform(low, high) if distribution.log else tune.uniform(low, high)


def main() -> None:
    """Runs the study, and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    data = planted_data.three_modalities(quick=True)
    found = study(data, num_trials=arguments.trials, num_seeds=arguments.seeds, epochs=arguments.epochs)
    for arm, values in found.items():
        print(f"{arm:24} {statistics.mean(values):.3f} ± {statistics.stdev(values):.3f} ({len(values)} seeds)")


if __name__ == "__main__":
    main()
