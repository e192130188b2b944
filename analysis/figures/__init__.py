"""Figures: each draws what tables, importance and sensitivity have computed, and computes nothing itself.

A figure of one panel takes `ax=None` and returns its Axes; a figure of several panels returns a Figure. All are made
for a paper's column (3.4 inch); those of several panels take a number of columns and a width for a page or slide.
"""

from analysis.figures.curves import learning_curve, learning_curves
from analysis.figures.effects import effects
from analysis.figures.forest import forest, seed_differences
from analysis.figures.frozen import frozen
from analysis.figures.generated import curves, exchanged, reconstructed, sampled
from analysis.figures.history import history, search_history
from analysis.figures.importance import importance, interaction
from analysis.figures.interpretation import dependence, gradients
from analysis.figures.parallel import parallel_coordinates
from analysis.figures.path import path
from analysis.figures.robustness import missing, noise_curves
from analysis.figures.sensitivity import sensitivity, sensitivity_slice
from analysis.figures.style import COLUMN, PAGE, save

__all__ = [
    "COLUMN",
    "PAGE",
    "curves",
    "dependence",
    "effects",
    "exchanged",
    "forest",
    "frozen",
    "gradients",
    "history",
    "importance",
    "interaction",
    "learning_curve",
    "learning_curves",
    "missing",
    "noise_curves",
    "parallel_coordinates",
    "path",
    "reconstructed",
    "sampled",
    "save",
    "search_history",
    "seed_differences",
    "sensitivity",
    "sensitivity_slice",
]
