"""Generated items, where a run of the reference has left any."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup
from matplotlib.figure import Figure

from analysis import figures
from analysis.formatting import join
from analysis.layout import html
from analysis.layout.section import Drawing, Page, Section
from analysis.results.generated_items import Generated, read_generated
from analysis.results.load import Results
from analysis.tables.findings import Findings


def _generated(results: Results) -> Generated | None:
    """Of the first confirm run of the reference that left any."""
    runs = results.of(results.study.reference, results.confirm).sort_values(["split", "seed"])
    return read_generated(results.folder, runs=runs["run_id"].tolist())


def _drawings(found: Findings) -> Sequence[Drawing]:
    generated = found.of(_generated)
    if generated is None:
        return []
    arrays, images, sequences = generated.arrays, generated.of_kind(4), generated.of_kind(3)
    wanted: list[tuple[str, list[str], tuple[str, ...], Callable[..., Figure], str, str]] = [
        (
            "exchanged", images, ("observed", "style", "exchanged"), figures.exchanged,
            "F_y of one item with F_a of another",
            "Images of {}: rows have F_y of one item, columns F_a of another.",
        ),
        (
            "reconstructed", images, ("reconstructed",), figures.reconstructed,
            "Reconstructed, and from the other modality alone",
            "Test images of {}, reconstructed, and generated from the other modality alone.",
        ),
        (
            "sampled", images, ("observed", "restyled", "sampled"), figures.sampled,
            "From the prior",
            "Images of {}: fixed F_y with F_a from the prior, and all codes from the prior.",
        ),
        (
            "sequences", sequences, ("reconstructed", "present"), figures.curves,
            "Sequences beside the truth",
            "Sequences of {}: the truth and what the model reconstructs.",
        ),
    ]  # fmt: skip
    return [
        Drawing(
            name=name,
            title=title,
            draw=lambda draw=draw, shown=shown: draw(arrays, shown),
            alt=f"{alt.format(join(shown))} Of run {generated.run_id}.",
            is_coloured=shown is images,
        )
        for name, shown, needed, draw, title, alt in wanted
        if generated.has(shown, *needed)
    ]


def _body(found: Findings, page: Page) -> Markup:
    generated = found.of(_generated)
    assert generated is not None
    told = Markup(
        "What one model has learned, to look at, for no verdict rests on it: the first confirm run of {}, {}."
    ).format(html.code(found.results.study.reference), html.code(generated.run_id))
    return html.paragraph(told) + Markup("").join(page.figure(one.name) for one in _drawings(found))


GENERATION = Section(
    name="generation",
    title="Generation",
    link="Generation",
    is_there=lambda found: found.of(_generated) is not None,
    drawings=_drawings,
    body=_body,
)
