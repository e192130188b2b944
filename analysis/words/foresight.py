"""What a study can show at all, before anything is run."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.statistics.paired_tests import ALPHA, pairs_in_reach, reachable_p


def foresight(
    *, num_seeds: int, looks: Sequence[int], num_arms: int, num_components: int, is_path: bool, is_frozen: bool
) -> list[str]:
    """Sentences about the smallest p that is possible.

    Args:
        num_seeds: confirm runs an arm; with looks, the most.
        looks: adaptive seeds: the numbers of seeds at which is looked; empty: there are none.
        num_arms: beside the reference.
        num_components: of a factorial design or a path; 0: the study compares arms.
        is_path: whether the components are removed one after another.
        is_frozen: whether arms are confirmed with the hyperparameters of the reference, too.
    """
    if not num_arms:
        return []
    both = "; worse or better must be shown by both tunings (docs/statistics.md)" if is_frozen else ""
    if num_components:
        return [_of_components(num_seeds, num_components, num_arms + 1, is_path=is_path)]
    if looks:
        numbers = [str(n) for n in looks]
        return [
            f"Adaptive seeds: an arm stops at the first of {', '.join(numbers[:-1])} or {numbers[-1]} seeds at which "
            f"it is decided, or at which more would hardly decide it{both}"
        ]
    least = reachable_p(num_seeds, num_arms)
    arms = "1 arm" if num_arms == 1 else f"{num_arms} arms"
    if least <= ALPHA:
        return [
            f"With {num_seeds} seeds the smallest possible p after Holm's correction over {arms} is {least:.2g}{both}"
        ]
    return [
        f"No arm can be called worse or better: with {num_seeds} seeds the smallest possible p after Holm's "
        f"correction over {arms} is {least:.2g}; --seeds {pairs_in_reach(num_arms)} is the least that can"
    ]


def _of_components(num_seeds: int, num_components: int, num_arms: int, *, is_path: bool) -> str:
    num_tests = num_components if is_path else num_components * (num_components + 1) // 2
    least = reachable_p(num_seeds, num_tests)
    fewest = pairs_in_reach(num_tests)
    beyond = "" if least <= ALPHA else f": none can be told, --seeds {fewest} is the least that can"
    if is_path:
        return (
            f"{num_components} components are removed one after another, {num_components} steps; with {num_seeds} "
            f"seeds the smallest possible p after Holm's correction over the steps is {least:.2g}{beyond}"
        )
    return (
        f"{num_components} components in {num_arms} arms: {num_components} main effects and interactions of two; with "
        f"{num_seeds} seeds the smallest possible p after Holm's correction over these {num_tests} is "
        f"{least:.2g}{beyond}"
    )
