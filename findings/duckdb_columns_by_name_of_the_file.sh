#!/usr/bin/env bash
# Versions: duckdb 2.0.0, pyarrow 26.0.1, Python 3.11 to 3.13.
# Behaviour: two Parquet files of one table, one of which has a column more (a metric that was added later). What a query over
#   `*.parquet` gives depends on the alphabet: the first file's columns are the table's. If the wider file comes second, its
#   column is not there at all, without a word; if it comes first, the query raises.
# Seen: "wider file second: ['run']; wider file first: InvalidInputException; union_by_name: ['run', 'score']"
# One would guess the union, or an error both times. What helps: union_by_name = true, or one fixed set of columns.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0 pyarrow==26.0.1 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cd "$place" && mkdir second first
cat >try.py <<'PY'
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

narrow, wide = pa.table({"run": [1]}), pa.table({"run": [2], "score": [0.5]})
for folder, names in (("second", "ab"), ("first", "ba")):
    pq.write_table(narrow, f"{folder}/{names[0]}.parquet")
    pq.write_table(wide, f"{folder}/{names[1]}.parquet")


def columns(folder, options=""):
    try:
        answer = duckdb.sql(f"select * from read_parquet('{folder}/*.parquet'{options})")
        answer.fetchall()
        return answer.columns
    except duckdb.Error as error:
        return type(error).__name__


together = columns("second", ", union_by_name = true")
print(f"wider file second: {columns('second')}; wider file first: {columns('first')}; union_by_name: {together}")
PY
seen=$(venv/bin/python try.py)
echo "$seen"
test "$seen" = "wider file second: ['run']; wider file first: InvalidInputException; union_by_name: ['run', 'score']"
