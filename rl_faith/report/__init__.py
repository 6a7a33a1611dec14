"""The report of a comparison: one page that opens from disk, the same as Markdown and as JSON."""
