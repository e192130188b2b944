"""The report of a study: tables, figures and one self-contained HTML page.

RESULTS/report/index.html, figures/*.png and *.svg, tables/*.csv and *.tex. Every file is written aside and renamed,
so that a reader never sees half of one; the page comes last.
"""

from __future__ import annotations

import shutil
import tempfile
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from analysis.reporting import latex, sentences, terminal
from analysis.reporting.figure_gallery import Gallery
from analysis.reporting.html_page import render
from analysis.results.load import load
from analysis.tables import ablation_path, cautions, overview
from analysis.tables.all_tables import Findings, find
from analysis.tables.cost import NO_PRICES, Prices


@dataclass(frozen=True, kw_only=True)
class Report:
    """A written report.

    >>> report("results/first").page.name
    'index.html'
    """

    page: Path  # index.html
    text: str  # the verdicts for this terminal, at most 100 columns wide


def write(results_dir: str | Path, *, seed: int = 0, prices: Prices = NO_PRICES) -> Report:
    """Writes the report of a results folder, of a running study too.

    >>> report("results/first").page.name
    'index.html'

    Args:
        results_dir: the folder that a study writes.
        seed: of the forests and the shuffles behind importance.
        prices: of an hour, for the table of cost.

    Raises:
        ValueError: it is not a results folder, or one of its files is damaged.
        OSError: the report cannot be written.
    """
    found = find(load(results_dir), seed=seed, prices=prices)
    folder = found.results.folder / "report"
    aside = Path(tempfile.mkdtemp(prefix=".report-", dir=found.results.folder))
    try:
        _write_tables(found, aside / "tables")
        pictures = Gallery(found=found, folder=aside / "figures").draw()
        page = render(found, pictures, folder=aside / "figures", written=datetime.now(UTC))
        (aside / "index.html").write_text(page, encoding="utf-8")
        _publish(aside, folder)
    finally:
        shutil.rmtree(aside)
    return Report(page=folder / "index.html", text=_text(found))


def _text(found: Findings) -> str:
    study = found.results.study
    width = min(terminal.WIDTH, shutil.get_terminal_size(fallback=(terminal.WIDTH, 24)).columns)
    walked = textwrap.wrap(ablation_path.headline(found.path, study), width)
    notes = [
        *cautions.in_words(found.compared, study),
        *sentences.changed(found.results),
        *sentences.left_out(found.results),
        *sentences.unconfirmed(found.results),
    ]
    told = [line for note in notes for line in textwrap.wrap(note, width)]
    return "\n".join([terminal.verdicts(found.ablation, study, width=width), *walked, *told])


def _write_tables(found: Findings, folder: Path) -> None:
    """One CSV a table; the columns of the first three are read by other tools."""
    folder.mkdir(parents=True)
    written = {
        "ablation": found.ablation,
        "importance": found.importance[overview.IMPORTANCE_COLUMNS],
        "fairness": found.fairness,
        "cost": found.cost,
        "tuning": found.tuning,
        "importance_details": found.importance,
        "seeds": found.paired,
        "failures": found.failures,
        "progress": found.progress,
        "best": found.best,
        "history": found.history,
        "curves": found.curves,
        "sensitivity": overview.smooths(found.slices),
        "tolerance": found.tolerance,
    }
    if found.results.study.is_path:
        written["path"] = found.path
    elif found.results.study.factors:
        written["effects"] = found.effects
    if len(found.frozen):
        written["frozen"] = found.frozen
    if len(found.missing):
        written |= {"missing": found.missing, "robustness": found.noise, "robustness_area": found.areas}
    if len(found.interpretation):
        written["interpretation"] = found.interpretation
    for name, table in written.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "ablation.tex").write_text(latex.ablation(found.ablation, found.results.study), encoding="utf-8")


def _publish(aside: Path, folder: Path) -> None:
    """Moves every file to its place, the page last, and removes what an earlier report left there."""
    new = sorted(file.relative_to(aside) for file in aside.rglob("*") if file.is_file())
    for name in sorted(new, key=lambda name: name.name == "index.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (aside / name).replace(folder / name)
    for file in [*folder.glob("figures/*"), *folder.glob("tables/*")]:
        if file.relative_to(folder) not in new:
            file.unlink()
