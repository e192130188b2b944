#!/usr/bin/env bash
# Versions: duckdb 2.0.0, pyarrow 26.0.1, Python 3.11 to 3.13.
# Behaviour: a Parquet file by pyarrow with one NaN in a column. `WHERE isnan(x)` finds no row, `count(*) FILTER (isnan(x))`
#   finds it. The writer leaves NaN out of the statistics of the row group, and DuckDB skips the group by its maximum.
# Seen: "where: 0, filter: 1; without statistics, where: 1"
# One would guess that both count the same. What helps: null in place of NaN, or statistics switched off for floats.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0 pyarrow==26.0.1 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cd "$place"
cat >try.py <<'PY'
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table({"x": [1.0, float("nan"), 3.0]})
pq.write_table(table, "with.parquet")
pq.write_table(table, "without.parquet", write_statistics=False)


def one(query):
    return duckdb.sql(query).fetchall()[0][0]


where = one("select count(*) from 'with.parquet' where isnan(x)")
kept = one("select count(*) filter (isnan(x)) from 'with.parquet'")
plain = one("select count(*) from 'without.parquet' where isnan(x)")
print(f"where: {where}, filter: {kept}; without statistics, where: {plain}")
PY
seen=$(venv/bin/python try.py)
echo "$seen"
test "$seen" = "where: 0, filter: 1; without statistics, where: 1"
