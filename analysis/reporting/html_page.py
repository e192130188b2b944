"""The HTML page: what stands at its top, and the sections below. Jinja and the sections escape all of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from analysis.figures.style import COLUMN
from analysis.formatting import metric_name
from analysis.layout import html
from analysis.layout.section import Drawing, Section
from analysis.tables import ablation_path, cautions, overview
from analysis.tables.findings import Findings
from analysis.tables.redundancy import hidden
from analysis.words import methods_paragraph, sentences

SMALL = 300_000  # bytes: a larger SVG is shown as PNG


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The drawings of a page, on disk."""

    drawings: Mapping[str, Drawing]
    widths: Mapping[str, float]  # of those that were drawn, in inches
    folder: Path

    def figure(self, name: str) -> Markup:
        """A drawing as an element that holds the picture itself, or the sentence that stands for it."""
        drawing = self.drawings[name]
        if drawing.absent:
            return html.paragraph(f"{drawing.title}: {drawing.absent}", kind="absent")
        kind = "wide" if self.widths[name] > 1.5 * COLUMN else "narrow"  # else its words would be too small to read
        narrow = Markup('<source media="(max-width: 40rem)" srcset="{}">') if drawing.column else Markup("")
        files = Markup(' · for a column: <a href="figures/{0}_column.svg">SVG</a>') if drawing.column else Markup("")
        return Markup(
            '<figure id="figure-{name}" class="{kind}"><figcaption>{title}</figcaption>\n'
            '<picture>{narrow}<img src="{page}" alt="{alt}" loading="lazy"></picture>\n'
            '<p class="files"><a href="figures/{name}.svg">SVG</a> · <a href="figures/{name}.png">PNG</a>{files}</p>'
            "</figure>\n"
        ).format(
            name=name,
            kind=f"{kind} coloured" if drawing.is_coloured else kind,
            title=drawing.title,
            narrow=narrow.format(_embedded(self.folder / f"{name}_column")) if drawing.column else "",
            page=_embedded(self.folder / name),
            alt=drawing.alt,
            files=files.format(name),
        )


def render(
    found: Findings, sections: Sequence[Section], pictures: Pictures, *, tables: Sequence[str], written: datetime
) -> str:
    """The page as text, with every figure inside it.

    Args:
        found: what it shows.
        sections: in order.
        pictures: their drawings.
        tables: names of the tables that are written beside it.
        written: the time that the page states.
    """
    study = found.results.study
    return _template().render(
        study=study,
        primary=metric_name(study.primary_metric),
        side="lower is better" if study.is_better_low(study.primary_metric) else "higher is better",
        written=f"{written:%Y-%m-%d %H:%M} UTC",
        tables=tables,
        sections=[
            {"name": one.name, "link": one.link, "title": one.heading(found), "body": one.body(found, pictures)}
            for one in sections
        ],
        **_summary(found),
    )


def _summary(found: Findings) -> dict[str, Any]:
    """What a reader in a hurry reads."""
    study, path = found.results.study, found.of(ablation_path.path)
    effects = found.of(overview.effects)
    return {
        "headline": ablation_path.headline(path, study) or sentences.headline(found.ablation, study),
        "named": sentences.named(found.ablation),
        "notices": [*cautions.in_words(found.compared, study), *hidden(found.compared, effects, study)],
        "progress": methods_paragraph.progress(found.of(overview.progress)),
    }


def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html.jinja")


def _embedded(stem: Path) -> str:
    svg, png = stem.with_suffix(".svg"), stem.with_suffix(".png")
    kind, file = ("svg+xml", svg) if svg.stat().st_size <= SMALL or not png.exists() else ("png", png)
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
