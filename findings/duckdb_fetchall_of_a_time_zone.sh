#!/usr/bin/env bash
# Versions: duckdb 2.0.0, pyarrow 26.0.1, Python 3.11 to 3.13.
# Behaviour: a column of times with a zone is read as Parquet, counted, and shown by DuckDB; `fetchall()` of the same column
#   raises, for it builds Python's datetimes with pytz, which neither DuckDB nor pandas 3 brings. `.fetch_arrow_table()` works.
# Seen: "rows 1; fetchall: InvalidInputException, pytz named: True; without a zone: 2026-01-01 00:00:00"
# One would guess that zoneinfo of the standard library is used. What helps: times of UTC without a zone, or pytz installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0 pyarrow==26.0.1 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cd "$place"
cat >try.py <<'PY'
from datetime import datetime, timezone

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
zoned = pa.array([moment], pa.timestamp("us", tz="UTC"))
pq.write_table(pa.table({"moment": zoned}), "zoned.parquet")
pq.write_table(pa.table({"moment": zoned.cast(pa.timestamp("us"))}), "plain.parquet")
rows = duckdb.sql("select count(moment) from 'zoned.parquet'").fetchall()[0][0]
try:
    told = str(duckdb.sql("select moment from 'zoned.parquet'").fetchall())
except duckdb.Error as error:
    told = f"{type(error).__name__}, pytz named: {'pytz' in str(error)}"
plain = duckdb.sql("select moment from 'plain.parquet'").fetchall()[0][0]
print(f"rows {rows}; fetchall: {told}; without a zone: {plain}")
PY
seen=$(venv/bin/python try.py)
echo "$seen"
test "$seen" = "rows 1; fetchall: InvalidInputException, pytz named: True; without a zone: 2026-01-01 00:00:00"
