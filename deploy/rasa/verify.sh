#!/usr/bin/env bash
# Validates, trains and tests this project on Rasa Pro (no GPU needed). Needs the firm's licence key in RASA_LICENSE or RASA_PRO_LICENSE;
# without one it says that it did not run, and succeeds. `make rasa-verify` calls this.
#
#   PYTHON            Tightrope's own interpreter, for the understanding server (default .venv/bin/python)
#   RASA_VERIFY_VENV  where Rasa Pro is installed (default .tightrope/rasa-venv; made from deploy/rasa/requirements.lock)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

licence="${RASA_LICENSE:-${RASA_PRO_LICENSE:-}}"
if [[ -z "$licence" ]]; then
  cat >&2 <<'SAY'
################################################################################
#                                                                              #
#   make rasa-verify DID NOT RUN: there is no Rasa Pro licence key.            #
#                                                                              #
#   Nothing was validated, trained or tested on Rasa Pro. The files were only  #
#   checked against Rasa's format schemas and played on the embedded engine    #
#   (make test). To run it: export RASA_LICENSE=<key> and try again.           #
#                                                                              #
################################################################################
SAY
  exit 0
fi
# Releases differ in the name that they read.
export RASA_LICENSE="$licence" RASA_PRO_LICENSE="$licence"

export RASA_TELEMETRY_ENABLED=false RASA_PRO_TELEMETRY_ENABLED=false
export MAX_NUMBER_OF_PREDICTIONS=30               # a turn begins, asks the grant, asks a question and listens: ten are too few
export RASA_PRO_BETA_STUB_CUSTOM_ACTION=true      # tests/e2e stubs every custom action, so no action server runs here
export HOSTED_VLLM_API_KEY="${HOSTED_VLLM_API_KEY:-not-needed-on-loopback}"

python="${PYTHON:-.venv/bin/python}"
venv="${RASA_VERIFY_VENV:-.tightrope/rasa-venv}"
lock=deploy/rasa/requirements.lock
stamp="$venv/.installed-$(sha256sum "$lock" | cut -c1-16)"
if [[ ! -e "$stamp" ]]; then
  echo "Installing Rasa Pro into $venv (several hundred MB the first time) …"
  "$python" -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --require-hashes -r "$lock"
  touch "$stamp"
fi
rasa="$venv/bin/rasa"

work="$(mktemp -d)"
server=""
finish() {
  if [[ -n "$server" ]]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

answers() { "$python" -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=1)' http://127.0.0.1:8010/health 2>/dev/null; }
if answers; then
  echo "Using the understanding server that runs on port 8010."
else
  echo "Starting the understanding server on port 8010 …"
  "$python" -m tightrope.cli.serve understanding >"$work/understanding.log" 2>&1 &
  server=$!
  for _ in $(seq 100); do
    if answers; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then cat "$work/understanding.log" >&2; echo "The understanding server did not start." >&2; exit 1; fi
    sleep 0.2
  done
  answers || { echo "The understanding server did not answer within 20 s." >&2; exit 1; }
fi

# Not --fail-on-warnings: responses that only actions utter count as unused there.
echo "== rasa data validate"
"$rasa" data validate --config config.yml --domain domain --data data
echo "== rasa train"
"$rasa" train --config config.yml --domain domain --data data --endpoints endpoints.yml --out "$work/models" --fixed-model-name tightrope
echo "== rasa test e2e"
"$rasa" test e2e tests/e2e --model "$work/models/tightrope.tar.gz" --endpoints endpoints.yml
echo "rasa-verify: the project is valid, trains, and its end-to-end tests pass on Rasa Pro."
