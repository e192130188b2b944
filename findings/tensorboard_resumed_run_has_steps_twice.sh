#!/usr/bin/env bash
# Versions: tensorboard 2.21.0, tensorboardX 2.6.5, setuptools 80.9.0, Python 3.11 to 3.13.
# Behaviour: a run that is resumed from a checkpoint writes a second event file with its later steps again. EventAccumulator gives
#   these steps twice, with purge_orphaned_data=True (its default) as without; a mean over them, or "the value at step 3", is of both.
# Seen: "steps with purge: [0, 1, 2, 3, 2, 3, 4]; without: [0, 1, 2, 3, 2, 3, 4]"
# One would guess that the earlier values of repeated steps are purged, as the name says. What helps: keep the value with the later
#   wall time of every step.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "tensorboard==2.21.0" "tensorboardX==2.6.5" "setuptools==80.9.0" \
    2>"$place/pip.log" || { cat "$place/pip.log"; exit 1; }
cat >"$place/try.py" <<'PY'
import time

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import SummaryWriter

for steps in ([0, 1, 2, 3], [2, 3, 4]):
    writer = SummaryWriter("run")
    for step in steps:
        writer.add_scalar("loss", 1 / (step + 1), step)
    writer.close()
    time.sleep(1.1)  # the names of event files have seconds
found = []
for purge in (True, False):
    events = EventAccumulator("run", purge_orphaned_data=purge).Reload()
    found.append([event.step for event in events.Scalars("loss")])
print("steps with purge: {}; without: {}".format(*found))
PY
cd "$place"
seen=$(venv/bin/python try.py 2>log)
echo "$seen"
test "$seen" = "steps with purge: [0, 1, 2, 3, 2, 3, 4]; without: [0, 1, 2, 3, 2, 3, 4]"
