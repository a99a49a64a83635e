#!/bin/bash
#SBATCH --job-name=rankward-sweep
#SBATCH --array=0-3
#SBATCH --time=01:00:00
#SBATCH --mem=1G
# Each task of the array submits one part of a sweep to a server that all nodes reach, waits, and keeps its points.
# The work is done by the server's own workers; this script only asks. Submit with: sbatch examples/slurm.sh
set -euo pipefail
: "${RANKWARD_URL:?say where the server listens}"
TASK="${SLURM_ARRAY_TASK_ID:-0}"

cat > "part-$TASK.yaml" <<SPEC
name: "part $TASK of a sweep"
tags: {slurm_task: "$TASK"}
run:
  problem: {kind: perturbed_2x2}
  model: {kind: deep_matrix, depth: 3}
  init: {kind: gaussian, std: 1e-3, std_of: product, determinant: positive}
  optimizer: {kind: gradient_descent, learning_rate: 1e-2}
  stop: {max_steps: 5000, loss_below: 1e-3}
sweep:
  - seed: [$((TASK * 2)), $((TASK * 2 + 1))]
SPEC

rankward submit "part-$TASK.yaml" --wait --json > "part-$TASK.json"
ID=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])' < "part-$TASK.json")
rankward export trajectories --experiment "$ID" --format parquet -o "part-$TASK.parquet"
