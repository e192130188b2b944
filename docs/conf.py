"""The documents as a site: `make docs`, then site/index.html."""

import importlib.metadata

project = "mfm-studies"
author = "The MFM studies developers"
project_copyright = f"2026, {author}"
release = version = importlib.metadata.version(project)
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["recipes"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = project
html_static_path = []
# Links to files outside of the documents (a schema, a script) lead to the repository's, not to a page.
suppress_warnings = ["myst.xref_missing"]
