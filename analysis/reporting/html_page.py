"""The HTML page: what the template shows, as plain rows and sentences. Jinja escapes all of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from analysis.formatting import decimals, duration, fixed, mean_sd, metric_name, short, show_p, signed, spaced
from analysis.reporting import methods_paragraph, sentences
from analysis.reporting.figure_gallery import Picture
from analysis.results.declaration import Study
from analysis.sensitivity import tolerance
from analysis.tables import ablation_path, cautions, frozen_params
from analysis.tables.all_tables import Findings
from analysis.tables.redundancy import hidden

SMALL = 300_000  # bytes: a larger SVG is shown as PNG
GENERATED = {
    "exchanged": "F_y of one item with F_a of another",
    "reconstructed": "Reconstructed, and from the other modality alone",
    "sampled": "From the prior",
    "sequences": "Sequences beside the truth",
}
ORDER = {"worse": 0, "better": 1, "equivalent": 2, "undecided": 3}


def render(found: Findings, pictures: Mapping[str, Picture | str], *, folder: Path, written: datetime) -> str:
    """The page as text, with every figure inside it.

    Args:
        found: what it shows.
        pictures: of `Gallery.draw`.
        folder: where the figures lie.
        written: the time that the page states.
    """
    study = found.results.study
    return _template().render(
        study=study,
        primary=metric_name(study.primary_metric),
        side="lower is better" if study.is_better_low(study.primary_metric) else "higher is better",
        written=f"{written:%Y-%m-%d %H:%M} UTC",
        about=_about(study),
        generation=_generation(found, pictures),
        pictures={name: _shown(picture, folder) for name, picture in pictures.items()},
        **_verdict_parts(found),
        **_search_parts(found),
    )


def _verdict_parts(found: Findings) -> dict[str, Any]:
    study = found.results.study
    return {
        "headline": ablation_path.headline(found.path, study) or sentences.headline(found.ablation, study),
        "verdicts": _verdicts(found.compared, study),
        "reference": _reference(found.ablation, study),
        "meanings": sentences.MEANINGS,
        "cautions": cautions.in_words(found.compared, study),
        "caveats": sentences.caveats(found.results, found.compared),
        "coverage": sentences.coverage(found.ablation, study),
        "hidden": hidden(found.compared, found.effects, study),
        "effects": _effects(found.effects, study),
        "together": sentences.together(found.effects),
        "designed": methods_paragraph.designed(found.effects, study),
        "walked": ablation_path.in_words(found.path, study),
        "steps": _steps(found.path, study),
        "secondary": _secondary(found.ablation, study),
        "methods": [*methods_paragraph.methods(found.results), *cautions.in_words(found.compared, study)],
        "progress": methods_paragraph.progress(found.progress),
        "robustness": len(found.missing) > 0,
        "interpretation": bool((found.interpretation["arm"] == study.reference).any()),
    }


def _search_parts(found: Findings) -> dict[str, Any]:
    study = found.results.study
    return {
        "cost": _cost(found.cost, study),
        "gpus": bool(found.cost["gpu_seconds"].any()),
        "priced": bool(found.cost["price"].notna().any()),
        "fairness": _fairness(found.fairness, found.failures, study),
        "tuning": _tuning(found.tuning, study),
        "frozen": _frozen(found.frozen, study),
        "frozen_in_words": frozen_params.in_words(found.frozen),
        "unfair": methods_paragraph.unfair(found.fairness, found.failures),
        "failures": [row for row in _rows(found.failures) if row["failed"]],
        "leading": sentences.importance_in_words(found.importance) if len(found.importance) else "",
        "best": _best(found.best, study),
        "tolerance": _tolerance(found.tolerance),
        "tolerance_in_words": tolerance.in_words(found.tolerance, found.trials),
    }


def _generation(found: Findings, pictures: Mapping[str, Picture | str]) -> dict[str, Any]:
    """The figures of generated items; empty where there are none."""
    if found.generated is None:
        return {}
    shown = [(name, title) for name, title in GENERATED.items() if name in pictures]
    return {"run": found.generated.run_id, "figures": shown}


def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html.jinja")


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def _verdicts(arms: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    """The compared arms, decided ones first, the largest difference first."""
    ranked = arms.assign(rank=arms["verdict"].map(ORDER), size=-arms["delta"].abs()).sort_values(["rank", "size"])
    return [_verdict(row, study) for _, row in ranked.iterrows()]


def _verdict(row: pd.Series, study: Study) -> dict[str, Any]:
    return {
        "arm": row["arm"],
        "pins": sentences.pins(row["arm"], study),
        "verdict": row["verdict"],
        "finding": sentences.finding(row, study),
        "covers": sentences.covers(row["holds_for"], study) or "–",
        "failed": row["failed"],
        "cautions": cautions.spoken(row["cautions"]),
        **_numbers(row, decimals(study.smallest_effect)),
    }


def _numbers(row: pd.Series, d: int) -> dict[str, str]:
    return {
        "n": str(row["n_seeds"]),
        "mean": mean_sd(row, d),
        "delta": signed(row["delta"], d),
        "interval": _interval(row["ci_low"], row["ci_high"], d),
        "items": _interval(row["ci_items_low"], row["ci_items_high"], d),
        "effect": fixed(row["effect_size"], 1),
        "p": show_p(row["p_holm"]) if pd.notna(row["p_holm"]) else "–",
        "q": show_p(row["p_equiv_holm"]) if pd.notna(row["p_equiv_holm"]) else "–",
        "seeds_needed": str(row["seeds_needed"]) if pd.notna(row["seeds_needed"]) else "–",
    }


def _effects(effects: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    d = decimals(study.smallest_effect)
    return [
        row
        | {
            "estimate": signed(row["estimate"], d), "interval": _interval(row["ci_low"], row["ci_high"], d),
            "p": show_p(row["p_holm"]), "q": show_p(row["p_equiv_holm"]),
            "seeds_needed": "–" if pd.isna(row["seeds_needed"]) else str(row["seeds_needed"]),
        }
        for row in _rows(effects)
    ]  # fmt: skip


def _steps(steps: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    d = decimals(study.smallest_effect)
    return [
        row
        | {
            "value": f"{fixed(row['mean'], d)} [{fixed(row['mean_low'], d)}, {fixed(row['mean_high'], d)}]",
            "delta": signed(row["delta"], d), "interval": _interval(row["ci_low"], row["ci_high"], d),
            "total": signed(row["total"], d), "total_interval": _interval(row["total_low"], row["total_high"], d),
            "folds": fixed(row["folds"], d), "next": fixed(row["next_folds"], d),
            "p": show_p(row["p_holm"]) if pd.notna(row["p_holm"]) else "–",
            "q": show_p(row["p_equiv_holm"]) if pd.notna(row["p_equiv_holm"]) else "–",
        }
        for row in _rows(steps)
    ]  # fmt: skip


def _frozen(table: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    d = decimals(study.smallest_effect)
    return [
        row
        | {
            name: f"{signed(row[name], d)} [{signed(row[f'{name}_low'], d)}, {signed(row[f'{name}_high'], d)}]"
            for name in ("tuned", "frozen", "gap")
        }
        for row in _rows(table)
    ]


def _interval(low: float, high: float, d: int) -> str:
    return f"{signed(low, d)} to {signed(high, d)}" if pd.notna(low) and pd.notna(high) else "–"


def _reference(table: pd.DataFrame, study: Study) -> dict[str, Any]:
    row = table[(table["role"] == "primary") & (table["arm"] == study.reference)].iloc[0]
    return {"arm": study.reference, **_numbers(row, decimals(study.smallest_effect)), "failed": row["failed"]}


def _secondary(table: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    rows = table[(table["role"] == "secondary") & (table["arm"] != study.reference)]
    return [{"arm": row["arm"], "metric": metric_name(row["metric"]), **_numbers(row, 3)} for _, row in rows.iterrows()]


def _fairness(fairness: pd.DataFrame, failures: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    both = fairness.merge(failures[["arm", "p_differs"]], on="arm")
    d = decimals(study.smallest_effect)
    return [
        row
        | {"time": duration(row["train_seconds"]), "best": fixed(row["best_valid"], d), "odd": row["p_differs"] <= 0.05}
        for row in _rows(both)
    ]


def _tuning(tuning: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    d = decimals(study.smallest_effect)
    return [
        row
        | {name: signed(row[name], d) if pd.notna(row[name]) else "–" for name in ("late_gain", "optimism")}
        | {name: fixed(row[name], d) for name in ("test_mean", "test_by_valid", "test_by_test")}
        | {"time": duration(row["train_seconds"]), "ended": {True: "yes", False: "no"}.get(row["converged"], "–")}
        for row in _rows(tuning)
    ]


def _cost(cost: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    d = decimals(study.smallest_effect)
    return [
        row
        | {
            "mean": mean_sd(row, d),
            "count": f"{row['parameters']:,.0f}" if pd.notna(row["parameters"]) else "–",
            "run": duration(row["seconds_per_run"]) if pd.notna(row["seconds_per_run"]) else "–",
            "search": duration(row["search_seconds"]),
            "total": duration(row["total_seconds"]),
            "gpu": duration(row["gpu_seconds"]) if row["gpu_seconds"] else "–",
            "price": _money(row["price"]),
            "halving": _halving(row),
        }
        for row in _rows(cost)
    ]


def _money(price: float) -> str:
    if pd.isna(price):
        return "–"
    return f"{price:.2f}" if price >= 1 else f"{price:.2g}"


def _halving(row: Mapping[str, Any]) -> str:
    if pd.isna(row["seeds_to_halve"]):
        return "–"
    price = f", {_money(row['price_to_halve'])}" if pd.notna(row["price_to_halve"]) else ""
    return f"{row['seeds_to_halve']:.0f} seeds, {duration(row['seconds_to_halve'])}{price}"


def _best(best: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    rows = []
    for row in _rows(best):
        params = {k: _value(v) for k, v in row.items() if k in study.space and pd.notna(v)}
        rows.append({"arm": row["arm"], "search": row["search"], "config_id": row["config_id"], "params": params})
    return rows


def _tolerance(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [row | {"room": row["choices"] or f"{short(row['low'])} to {short(row['high'])}"} for row in _rows(table)]


def _value(value: object) -> str:
    return short(value) if isinstance(value, float) else str(value)


def _about(study: Study) -> dict[str, str]:
    return {spaced(key): _fact(value) for key, value in study.about.items()}


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_fact(one)}" for key, one in value.items())
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _shown(picture: Picture | str, folder: Path) -> dict[str, Any]:
    """A picture as data URIs, or the sentence that stands for it."""
    if isinstance(picture, str):
        return {"sentence": picture}
    column = _embedded(folder / f"{picture.name}_column") if picture.has_column else ""
    return {"page": _embedded(folder / picture.name), "column": column, "alt": picture.alt, "name": picture.name}


def _embedded(stem: Path) -> str:
    svg, png = stem.with_suffix(".svg"), stem.with_suffix(".png")
    kind, file = ("svg+xml", svg) if svg.stat().st_size <= SMALL or not png.exists() else ("png", png)
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
