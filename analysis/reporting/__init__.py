"""The report: its page, sentences, LaTeX and terminal table."""
