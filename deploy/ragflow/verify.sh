#!/usr/bin/env bash
# Plays RAGFlow's contract (tests/integration/knowledge/test_knowledge_ragflow_contract.py) and our own client against a running RAGFlow.
# Without its URL and key it says that it did not run, and succeeds. `make ragflow-verify` calls this.
#
#   RAGFLOW_URL        e.g. http://ragflow.example:9380
#   RAGFLOW_KEY        an API key; the tests make datasets named contract-… and kb-…, delete those and touch nothing else
#   RAGFLOW_EMBEDDING  embedding model of the datasets, name@factory (default: the account's own)
#   PYTHON             Tightrope's interpreter (default .venv/bin/python)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [[ -z "${RAGFLOW_URL:-}" || -z "${RAGFLOW_KEY:-}" ]]; then
  cat >&2 <<'SAY'
################################################################################
#                                                                              #
#   make ragflow-verify DID NOT RUN: RAGFLOW_URL or RAGFLOW_KEY is not set.    #
#                                                                              #
#   Nothing was tested on a real RAGFlow. The same contract holds for the      #
#   embedded knowledge server (make test), which is no proof for RAGFlow.      #
#   To run it: make ragflow-verify RAGFLOW_URL=http://… RAGFLOW_KEY=ragflow-…  #
#                                                                              #
################################################################################
SAY
  exit 0
fi
export RAGFLOW_URL RAGFLOW_KEY

python="${PYTHON:-.venv/bin/python}"
version="$("$python" - <<'ASK'
import json, os, sys, urllib.request
address = os.environ["RAGFLOW_URL"].rstrip("/") + "/api/v1/system/version"
try:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=10) as answer:
        print(json.load(answer)["data"])
except Exception as error:
    sys.exit(f"ragflow-verify: {address} does not name a version ({error}); is this RAGFlow, and can it be reached from here?")
ASK
)"
echo "== RAGFlow's contract against $version at $RAGFLOW_URL"
# A folder of its own: pytest closes the folder that its runs share to other users, and a Postgres of another run may live in it.
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
"$python" -m pytest tests/integration/knowledge/test_knowledge_ragflow_contract.py -rfExs -p no:cacheprovider --basetemp="$scratch/run" "$@"
if [[ "$version" == *tightrope* ]]; then
  echo "ragflow-verify: passed, but $RAGFLOW_URL is Tightrope's own embedded server: NO real RAGFlow was tested." >&2
else
  echo "ragflow-verify: RAGFlow $version keeps the contract that Tightrope relies on."
fi
