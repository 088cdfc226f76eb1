"""What Sphinx needs to know; :mod:`docs.site` says why and how it is run."""

from devproxy import __version__

project = "devproxy"
author = "the devproxy authors"
copyright = "2026, the devproxy authors"
version = release = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["files", "extra"]

# The documents are written for GitHub: the same anchors, and no dialect of its own.
myst_heading_anchors = 5
suppress_warnings = ["misc.highlighting_failure", "myst.header"]

html_theme = "furo"
html_title = "devproxy"
html_static_path = ["style.css", "offline.js"]
html_css_files = ["style.css"]
html_js_files = ["offline.js"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
# Furo's fonts are the system's, and nothing is loaded from elsewhere.
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#9a3412", "color-brand-content": "#9a3412"},
    "dark_css_variables": {"color-brand-primary": "#fb923c", "color-brand-content": "#fb923c"},
}
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
