"""Numbers, figures and the report, from Parquet alone. Needs neither Ray nor PyTorch."""
