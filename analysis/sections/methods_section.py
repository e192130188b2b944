"""How the study was made: the paragraph for a paper, and the facts of its declaration."""

from __future__ import annotations

import json
from collections.abc import Mapping

from markupsafe import Markup

from analysis.formatting import spaced
from analysis.layout import html
from analysis.layout.section import Page, Section
from analysis.tables import cautions
from analysis.tables.findings import Findings
from analysis.words import methods_paragraph


def _body(found: Findings, _: Page) -> Markup:
    study = found.results.study
    told = [*methods_paragraph.methods(found.results), *cautions.in_words(found.compared, study)]
    facts = Markup("").join(
        Markup("<dt>{}</dt><dd>{}</dd>").format(spaced(name), _fact(value)) for name, value in study.facts.items()
    )
    return html.paragraph(" ".join(told)) + (Markup("<dl>{}</dl>\n").format(facts) if facts else Markup(""))


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_fact(one)}" for key, one in value.items())
    return value if isinstance(value, str) else json.dumps(value, default=str)


METHODS = Section(name="methods", title="Methods", link="Methods", body=_body)
