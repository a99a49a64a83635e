#!/bin/sh
# Post an experiment, wait for it, look at it, take its points away: nothing but curl.
# Usage: RANKWARD_URL=http://127.0.0.1:8000 examples/curl.sh
set -eu
URL="${RANKWARD_URL:-http://127.0.0.1:8000}"

ID=$(curl -sf "$URL/v1/experiments" -H 'Content-Type: application/json' -H 'Idempotency-Key: examples-curl' -d '{
  "name": "from the shell",
  "run": {
    "problem":   {"kind": "perturbed_2x2"},
    "model":     {"kind": "deep_matrix"},
    "init":      {"kind": "gaussian", "std": 1e-3, "std_of": "product", "balanced": true, "determinant": "positive"},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-2},
    "stop":      {"max_steps": 5000, "loss_below": 1e-3}
  },
  "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1]}]
}' | sed 's/.*"id":"\([^"]*\)".*/\1/')

until curl -sf "$URL/v1/experiments/$ID" | grep -q '"status":"succeeded"'; do sleep 1; done

curl -sfG "$URL/v1/runs" -d "experiment_id=$ID" -d format=csv \
  --data-urlencode "where=summary.loss < 1" \
  --data-urlencode "order_by=-summary.unobserved_entry" \
  --data-urlencode "fields=model.depth,seed,outcome,summary.loss,summary.unobserved_entry"
curl -sf "$URL/v1/experiments/$ID/summary?group_by=model.depth&metric=unobserved_entry"; echo
curl -sf "$URL/v1/trajectories?experiment_id=$ID&format=parquet" -o shell.parquet
