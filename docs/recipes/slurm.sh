#!/bin/bash
# A study on Slurm:   sbatch docs/recipes/slurm.sh studies/mosi_ablation.py --data DIR --preset standard
# From the project's root, on a file system that all nodes see, after `make .venv/.installed`.
# Before its time is up, the study ends in good order; the same sbatch goes on with it.
#SBATCH --job-name=study
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@300
# With GPUs: #SBATCH --gpus-per-node=1
set -euo pipefail

PATH=$PWD/.venv/bin:$PATH
port=$((20000 + SLURM_JOB_ID % 10000))
head=$SLURMD_NODENAME
options=(--num-cpus="$SLURM_CPUS_PER_TASK" --block)
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
test -s ~/.ray/auth_token || (umask 077 && ray get-auth-token --generate > /dev/null)

srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --port="$port" --include-dashboard=false --temp-dir="/tmp/ray-$SLURM_JOB_ID" "${options[@]}" &
if ((SLURM_NNODES > 1)); then
    srun --nodes=$((SLURM_NNODES - 1)) --ntasks=$((SLURM_NNODES - 1)) --exclude="$head" \
        ray start --address="$head:$port" "${options[@]}" &
fi

# Nodes that join later count for nothing: the study asks once how many packs fit.
python - "$head:$port" "$SLURM_NNODES" <<'END'
import sys, time, ray
for _ in range(120):
    try:
        ray.init(address=sys.argv[1], logging_level="ERROR")
        if len(ray.nodes()) >= int(sys.argv[2]):
            sys.exit()
    except ConnectionError:
        pass
    ray.shutdown()
    time.sleep(1)
sys.exit("not all nodes have joined")
END

python "$@" --address "$head:$port" &
study=$!
trap 'kill -TERM $study' TERM
code=0
wait $study || code=$?
trap '' TERM
while kill -0 $study 2> /dev/null; do wait $study || code=$?; done # a signal ends the first wait before the study
kill $(jobs -p) 2> /dev/null || true
exit $code
