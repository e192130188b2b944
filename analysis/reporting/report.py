"""The report of a study: tables, figures and one self-contained HTML page.

RESULTS/report/index.html, figures/*.png and *.svg, tables/*.csv and *.tex. Every file is written aside and renamed,
so that a reader never sees half of one; the page comes last.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import figures
from analysis.layout.section import Section
from analysis.reporting import latex, terminal
from analysis.reporting.all_sections import SECTIONS
from analysis.reporting.html_page import Pictures, render
from analysis.reporting.verdicts_json import as_text
from analysis.results.load import Results, load
from analysis.statistics.verdict import UNDECIDED
from analysis.tables import ablation_path, cautions
from analysis.tables.cost import NO_PRICES, Prices
from analysis.tables.findings import Findings
from analysis.words import sentences

MOST_EXPLAINED = 4  # undecided arms whose reason stands in the terminal; the page has all


@dataclass(frozen=True, kw_only=True)
class Report:
    """A written report.

    >>> report("results/first").page.name
    'index.html'
    """

    page: Path  # index.html
    text: str  # the verdicts for this terminal, at most 100 columns wide


def write(
    results: Results | str | Path, folder: str | Path | None = None, *, seed: int = 0, prices: Prices = NO_PRICES
) -> Report:
    """Writes the report of a results folder, of a running study too, or of runs that were made elsewhere.

    >>> report("results/first").page.name
    'index.html'

    Args:
        results: the folder that a study writes, or what `load` or `read` gave.
        folder: where the report goes; the folder `report` of the results otherwise.
        seed: of the forests and the shuffles behind importance.
        prices: of an hour, for the table of cost.

    Raises:
        ValueError: it is not a results folder, or one of its files is damaged.
        OSError: the report cannot be written.
    """
    found = Findings(results=results if isinstance(results, Results) else load(results), seed=seed, prices=prices)
    return write_found(found, Path(folder) if folder is not None else found.results.folder / "report")


def write_found(found: Findings, folder: Path) -> Report:
    """The same of what was computed already."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "index.html").exists():
        raise ValueError(
            f"a report must have a folder of its own, new or with an earlier report in it; {folder} holds other files. "
            "Name another with --report"
        )
    sections = [section for section in SECTIONS if section.is_there(found)]
    tables = {name: table for section in sections for name, table in section.tables(found).items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".report-", dir=folder.parent))
    try:
        aside.chmod(0o755)
        _write_tables(tables, found, aside / "tables")
        pictures = draw(found, sections, aside / "figures")
        page = render(found, sections, pictures, tables=list(tables), written=datetime.now(UTC))
        (aside / "verdicts.json").write_text(as_text(found.results, found.ablation), encoding="utf-8")
        (aside / "index.html").write_text(page, encoding="utf-8")
        _publish(aside, folder)
    finally:
        shutil.rmtree(aside)
    return Report(page=folder / "index.html", text=text(found))


def text(found: Findings) -> str:
    """The verdicts for this terminal, with all that must be known to read them."""
    study = found.results.study
    undecided = found.compared[found.compared["verdict"] == UNDECIDED]
    notes = [
        *(f"{row['arm']} is undecided: {row['reason']}." for _, row in undecided[:MOST_EXPLAINED].iterrows()),
        *cautions.in_words(found.compared, study),
        *sentences.changed(found.results),
        *sentences.left_out(found.results),
        *sentences.unconfirmed(found.results),
        *(study.notes if study.source else ()),
    ]
    told = terminal.wrapped([ablation_path.headline(found.of(ablation_path.path), study), *notes])
    return f"{terminal.verdicts(found.ablation, study, width=terminal.columns())}\n{told}".rstrip()


def _write_tables(tables: Mapping[str, pd.DataFrame], found: Findings, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "ablation.tex").write_text(latex.ablation(found.ablation, found.results.study), encoding="utf-8")


def draw(found: Findings, sections: Sequence[Section], folder: Path) -> Pictures:
    """Draws the figures of all sections into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    drawings = {one.name: one for section in sections for one in section.drawings(found)}
    widths = {}
    for name, one in drawings.items():
        if one.draw is not None and not one.absent:
            drawn = _figure(one.draw())
            widths[name] = float(drawn.get_size_inches()[0])
            figures.save(drawn, folder / name)
        if one.column is not None and not one.absent:
            figures.save(_figure(one.column()), folder / f"{name}_column", formats=("svg",))
    return Pictures(drawings=drawings, widths=widths, folder=folder)


def figure(results: Results | str | Path, name: str = "forest", *, for_column: bool = False, seed: int = 0) -> Figure:
    """One figure of the report, as Matplotlib has it: to look at in a notebook, to change, or to save.

    >>> figure("results/first", "seeds").get_size_inches()[0]
    np.float64(3.4)

    Args:
        results: a folder, or what `load` gave.
        name: of the figure; a name that is not known is answered with all that are.
        for_column: the version for a narrow column, where there is another.
        seed: of the forests and the shuffles behind importance.

    Raises:
        ValueError: there is no figure of that name, or the study has nothing to draw for it so far.
    """
    found = Findings(results=results if isinstance(results, Results) else load(results), seed=seed)
    every = {one.name: one for section in SECTIONS if section.is_there(found) for one in section.drawings(found)}
    if name not in every:
        raise ValueError(f"a figure of this study must be one of {', '.join(every)}; got {name!r}")
    one = every[name]
    made = (one.column if for_column else None) or one.draw
    if one.absent or made is None:
        raise ValueError(f"{one.title} cannot be drawn: {one.absent}")
    if "ipykernel" in sys.modules and (shell := import_module("IPython").get_ipython()) is not None:
        import_module("IPython.core.pylabtools").select_figure_formats(shell, {"retina"})  # how figures are shown
    return _figure(made())


def _figure(drawn: Figure | Axes) -> Figure:
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def _publish(aside: Path, folder: Path) -> None:
    """Moves every file to its place, the page last, and removes what an earlier report left there."""
    new = sorted(file.relative_to(aside) for file in aside.rglob("*") if file.is_file())
    for name in sorted(new, key=lambda name: name.name == "index.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (aside / name).replace(folder / name)
    for file in [*folder.glob("figures/*"), *folder.glob("tables/*")]:
        if file.relative_to(folder) not in new:
            file.unlink()
