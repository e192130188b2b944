#!/usr/bin/env bash
# Versions: safetensors 0.8.0, numpy 2.4.6, Python 3.11 to 3.13.
# Behaviour: the same arrays with the same metadata are saved again and again in one process. With one key of metadata all
#   files are equal byte for byte; with several the order of the keys in the header changes from call to call.
# Seen: "files of 20 calls: one key 1, four keys more than 1"
# One would guess that equal input gives equal bytes, so that a hash of the file can stand for the weights. What helps: a
#   single key that holds JSON, or a hash of names and arrays in place of one of the file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6 2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import numpy as np
from safetensors.numpy import save

arrays = {"w": np.arange(4.0)}


def files(metadata):
    return len({save(arrays, metadata=metadata) for _ in range(20)})


one, four = files({"a": "1"}), files({"a": "1", "b": "2", "c": "3", "d": "4"})
print(f"files of 20 calls: one key {one}, four keys {'more than 1' if four > 1 else four}")
PY
seen=$("$place/venv/bin/python" "$place/try.py")
echo "$seen"
test "$seen" = "files of 20 calls: one key 1, four keys more than 1"
