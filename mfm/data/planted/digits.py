"""Planted images whose factors are known: digits of seven segments, drawn twice, each time in a style of its own.

Planted are the digit, which both images show, and for each image by itself: its slant, the thickness of its stroke, and
where it stands. The style says nothing of the digit, nor the one image's style of the other's. A patch hides a part of
each image, so that one image alone leaves some digits open and both together fewer.

Shapes: N items, H rows, W columns, S = 3 entries of a style.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mfm.data.dataset import FOLDS, Dataset, Modality, Need, Task

# The ends of the segments as (row, column), in a cell of two squares of side 1, its centre at 0: top, the upper two,
# the middle, the lower two, bottom.
SEGMENTS = (
    ((-1, -0.5), (-1, 0.5)), ((-1, -0.5), (0, -0.5)), ((-1, 0.5), (0, 0.5)), ((0, -0.5), (0, 0.5)),
    ((0, -0.5), (1, -0.5)), ((0, 0.5), (1, 0.5)), ((1, -0.5), (1, 0.5)),
)  # fmt: skip
LIT = ("1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010", "1111111", "1111011")
STYLE = ("slant", "thickness", "place")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to plant; a quick study takes fewer items."""

    num_items: Mapping[str, int] = field(default_factory=lambda: {"train": 2000, "valid": 500, "test": 1000})
    sides: Mapping[str, int] = field(default_factory=lambda: {"large": 20, "small": 12})  # of the images, in pixels
    hidden: float = 0.4  # the side of the patch that hides, as a share of the image's
    noise: float = 0.1  # standard deviation of every pixel's noise; ink is 1, paper 0


def planted_digits(plan: Plan, *, seed: int) -> Dataset:
    """Draws a data set; its `style` holds slant, thickness and place of every image, each uniform in -1..1."""
    rng = np.random.default_rng(seed)
    num_items = sum(plan.num_items.values())
    digit_N = rng.integers(0, 10, num_items)
    style = {name: rng.uniform(-1, 1, (num_items, len(STYLE))).astype(np.float32) for name in plan.sides}
    names = np.array([f"pair{n:05d}" for n in range(num_items)])
    return Dataset(
        name="planted digits",
        source=f"Synthetic digits of seven segments, {num_items} pairs of images, each in a style of its own.",
        modalities=tuple(
            Modality(
                name=name,
                values=_hidden(plan, rng, drawn(digit_N, style[name], side=side))[:, None],
                mask=np.ones(num_items, dtype=bool),
            )
            for name, side in plan.sides.items()
        ),
        target=digit_N.astype(np.int64),
        task=Task(kind="classification", targets=("digit",), classes=tuple("0123456789")),
        item=names,
        group=names,
        fold=np.repeat(FOLDS, [plan.num_items[name] for name in FOLDS]),
        style=style,
        needs=tuple(
            Need(
                param=f"use_{name}",
                value=False,
                because=f"a patch hides a part of each image, and {name} shows what the other one hides",
            )
            for name in plan.sides
        ),
    )


def drawn(digit_N: np.ndarray, style_NS: np.ndarray, *, side: int) -> np.ndarray:
    """The digits in their styles, ink 1 on paper 0, float32 (N, H, W)."""
    slant, thickness, place = (column[:, None, None] for column in style_NS.T)
    middle = (np.arange(side) + 0.5) / side * 2 - 1
    row_NHW = np.broadcast_to(middle[:, None] * 1.5, (len(digit_N), side, side))
    column_NHW = middle[None, None, :] * 1.5 - 0.15 * place + 0.3 * slant * row_NHW
    lit_N7 = np.array([[flag == "1" for flag in LIT[digit]] for digit in digit_N])
    nearest_NHW = np.full(row_NHW.shape, np.inf)
    for segment, (start, end) in enumerate(SEGMENTS):
        distance_NHW = _distance(row_NHW, column_NHW, start, end)
        nearest_NHW = np.where(lit_N7[:, segment, None, None], np.minimum(nearest_NHW, distance_NHW), nearest_NHW)
    radius = 0.2 + 0.08 * thickness
    pixel = 3 / side
    return np.clip((radius - nearest_NHW) / pixel + 0.5, 0, 1).astype(np.float32)


def _distance(row: np.ndarray, column: np.ndarray, start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """How far a point is from a segment along one of the axes."""
    rows, columns = np.clip(row, start[0], end[0]), np.clip(column, start[1], end[1])
    return np.hypot(row - rows, column - columns)


def _hidden(plan: Plan, rng: np.random.Generator, image_NHW: np.ndarray) -> np.ndarray:
    """The images with their patches and their noise."""
    num_items, side = len(image_NHW), image_NHW.shape[1]
    width = round(plan.hidden * side)
    top, left = rng.integers(0, side - width + 1, (2, num_items, 1))
    steps = np.arange(side)
    rows, columns = ((steps >= at) & (steps < at + width) for at in (top, left))
    patch_NHW = rows[:, :, None] & columns[:, None, :]
    seen = np.where(patch_NHW, 0, image_NHW)
    return (seen + plan.noise * rng.standard_normal(image_NHW.shape)).astype(np.float32)
