"""The record of a study: journal, tables, manifest."""
