"""What each arm reaches, and what it costs."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from analysis.formatting import count, decimals, duration, mean_sd, metric_name
from analysis.layout import html
from analysis.layout.numbers import NONE
from analysis.layout.section import Page, Section
from analysis.tables.cost import cost
from analysis.tables.findings import Findings


def _cost(found: Findings) -> pd.DataFrame:
    return cost(found.results, found.prices)


def _body(found: Findings, _: Page) -> Markup:
    table, study = found.derived(_cost), found.results.study
    is_priced = table["price"].notna().any()
    side = "lower is better" if study.is_better_low(study.primary_metric) else "higher is better"
    columns = [
        html.Column("arm", html.arm),
        html.Column(metric_name(study.primary_metric), lambda row: mean_sd(row, decimals(study.smallest_effect)), side),
        html.Column("parameters", lambda row: f"{row['parameters']:,.0f}" if pd.notna(row["parameters"]) else NONE),
        html.Column("training time", lambda row: _time(row["seconds_per_run"]), "a confirm run"),
        html.Column("training time", lambda row: _time(row["search_seconds"]), "its search"),
        html.Column("training time", lambda row: _time(row["total_seconds"]), "in all"),
    ]
    if table["gpu_seconds"].any():
        columns.append(html.Column("GPU time", lambda row: _time(row["gpu_seconds"] or float("nan")), "in all"))
    if is_priced:
        columns.append(html.Column("price", lambda row: _money(row["price"]), "in all"))
    columns.append(html.Column("to halve its interval", _halving, "with the reference's runs"))
    told = (
        "Means over the completed confirm runs. Runs train together in packs; a run's time is its share. To halve the "
        "interval of an arm's difference takes so many seeds more, if the differences go on to spread as they do."
    )
    command = Markup(" For prices: <code>python -m analysis RESULTS --price-gpu P --price-core P</code>, of an hour.")
    return html.table(table, columns) + html.paragraph(Markup("{}{}").format(told, "" if is_priced else command))


def _time(seconds: float) -> str:
    return duration(seconds) if pd.notna(seconds) else NONE


def _money(price: float) -> str:
    if pd.isna(price):
        return NONE
    return f"{price:.2f}" if price >= 1 else f"{price:.2g}"


def _halving(row: html.Row) -> str:
    if pd.isna(row["seeds_to_halve"]):
        return NONE
    price = f", {_money(row['price_to_halve'])}" if pd.notna(row["price_to_halve"]) else ""
    return f"{count(int(row['seeds_to_halve']), 'seed')}, {duration(row['seconds_to_halve'])}{price}"


COST = Section(
    name="cost",
    title="What each arm reaches, and what it costs",
    link="Cost",
    is_there=lambda found: not found.results.study.source,
    tables=lambda found: {"cost": found.derived(_cost)},
    body=_body,
)
