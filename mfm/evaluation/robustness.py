"""What trained runs do with missing and noisy modalities: one row a condition and metric, nothing trained again.

Conditions: "complete"; "missing/<method>" for every subset of missing modalities; "noise/<kind>" at every level, on
each modality by itself and on all ("all"). Only the networks that answer in place of the model are trained; the model
stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
import torch

from mfm.data.dataset import Dataset
from mfm.evaluation import direct_networks, surrogate_inference
from mfm.evaluation import scores as evaluate
from mfm.evaluation.direct_networks import Direct
from mfm.evaluation.surrogate_inference import Surrogate, key
from mfm.inputs import corruption as noise
from mfm.inputs.batch import Batch
from mfm.inputs.input_shape import Shape
from mfm.inputs.missing_modalities import FILLS, subsets, without
from mfm.layers.random_streams import Noise, Quiet
from mfm.learning.auxiliary_training import Lesson, fit
from mfm.model.mfm import MFM, Output
from mfm.params.config import Config

LEVELS = (0.2, 0.4, 0.6, 0.8, 1.0)
ALL = "all"

Answer = Callable[[Batch], Output]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """Trained members, and what they were trained with."""

    dataset: Dataset
    model: MFM
    config: Config
    shape: Shape
    lesson: Lesson


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What is done to what the model reads."""

    condition: str
    modality: str  # names joined by "+"; empty: none
    level: float  # 0: nothing, 1: all of it


def evaluations(trained: Trained) -> list[dict[str, np.ndarray]]:
    """By member, columns condition, modality, level, metric and value: scores on the test items."""
    rows: list[list[tuple[object, ...]]] = [[] for _ in trained.lesson.seeds]
    for condition, answer in _answers(trained):
        for own, scores in zip(rows, _scores(trained, answer), strict=True):
            place = (condition.condition, condition.modality, condition.level)
            own += [(*place, f"test_{name}", value) for name, value in scores.items() if _says(condition, name)]
    names = ("condition", "modality", "level", "metric", "value")
    return [dict(zip(names, (np.array(column) for column in zip(*own, strict=True)), strict=True)) for own in rows]


def _answers(trained: Trained) -> list[tuple[Condition, Answer]]:
    model = trained.model
    complete = Condition(condition="complete", modality="", level=0.0)
    return [(complete, lambda batch: model(batch, Quiet())), *_missing(trained), *_noisy(trained)]


def _missing(trained: Trained) -> list[tuple[Condition, Answer]]:
    zeros = trained.lesson.feed.zeros
    answers: dict[str, Callable[..., Output]] = {
        fill: partial(_filled, trained.model, fill=fill, zeros=zeros) for fill in FILLS
    }
    answers |= {name: network.answer for name, network in _stand_ins(trained).items()}
    return [
        (
            Condition(condition=f"missing/{method}", modality=key(missing), level=1.0),
            partial(answer, missing=missing),
        )
        for method, answer in answers.items()
        for missing in subsets(trained.config.used)
    ]


def _filled(
    model: MFM, batch: Batch, *, missing: Sequence[str], fill: str, zeros: Mapping[str, torch.Tensor]
) -> Output:
    return model(without(batch, missing, fill=fill, zeros=zeros), Quiet())


def _stand_ins(trained: Trained) -> dict[str, Surrogate | Direct]:
    """The networks that answer in place of the model, trained."""
    config, shape, lesson = trained.config, trained.shape, trained.lesson
    result: dict[str, Surrogate | Direct] = {}
    with torch.device("meta"):
        for form in surrogate_inference.forms(config):
            result[form] = Surrogate(trained.model, config, shape, form=form, weights=lesson.hyper)
        for end in direct_networks.ends(config):
            result[end] = Direct(len(lesson.seeds), config, shape, end=end)
    for network in result.values():
        fit(network, network, lesson)
    return result


def _noisy(trained: Trained) -> list[tuple[Condition, Answer]]:
    used = trained.config.used
    places = {**{name: (name,) for name in used}, **({ALL: used} if len(used) > 1 else {})}
    return [
        (Condition(condition=f"noise/{kind}", modality=place, level=level), _Noisy(trained, names, kind, level))
        for kind in noise.KINDS
        for place, names in places.items()
        for level in LEVELS
    ]


class _Noisy:
    """The model on noisy batches, one after the other."""

    def __init__(self, trained: Trained, names: Sequence[str], kind: str, level: float) -> None:
        self._model, self._numbers = trained.model, count()
        room = (trained.lesson.feed.num_steps, evaluate.BATCH_SIZE)
        self._read = partial(noise.corrupted, modalities=names, kind=kind, level=level, room=room)

    def __call__(self, batch: Batch) -> Output:
        return self._model(self._read(batch, number=next(self._numbers)), Quiet())


def _scores(trained: Trained, answer: Answer) -> list[dict[str, float]]:
    rows = trained.lesson.folds["test"]

    def respond(batch: Batch, noise: Noise) -> Output:  # noqa: ARG001 - answers are quiet
        return answer(batch)

    predictions = evaluate.predict(respond, trained.lesson.feed, rows)
    return evaluate.scores(trained.dataset, predictions, rows)


def _says(condition: Condition, metric: str) -> bool:
    """Whether a condition has a metric: the ends do one thing, and a prior's match is not a matter of missing data."""
    if metric in ("mmd", "label_loss"):
        return False
    method = condition.condition.removeprefix("missing/")
    return method != "generative" or metric.startswith("reconstruction_")
