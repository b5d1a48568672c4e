#!/usr/bin/env bash
# Starts vLLM for one replica, after checking that the model's folder is the one that was approved, byte for byte.
#
#   serve.sh            check, then become vLLM
#   serve.sh --print    print the command line, a word a line, and do nothing
#
# From a profile (profiles/*.env):  PROFILE MODEL QUANTIZATION GPUS MAX_MODEL_LEN MAX_NUM_SEQS MAX_IN_FLIGHT
#                                   for tests: DTYPE, ENFORCE_EAGER
# From the site (site.env):         MODEL_DIR, TIGHTROPE_MODEL_FINGERPRINT (both as `tightrope model import` prints them), optionally VLLM, SOCKET
# Secret:                           VLLM_API_KEY
#
# It needs bash, coreutils and diffutils; Tightrope itself is not installed on a GPU host.
set -euo pipefail

for name in PROFILE MODEL QUANTIZATION GPUS MAX_MODEL_LEN MAX_NUM_SEQS MAX_IN_FLIGHT MODEL_DIR TIGHTROPE_MODEL_FINGERPRINT; do
  [[ -n "${!name:-}" ]] || { echo "serve.sh: $name is not set: give a profile (deploy/vllm/profiles) and site.env" >&2; exit 2; }
done
[[ "$TIGHTROPE_MODEL_FINGERPRINT" =~ ^[0-9a-f]{64}$ ]] || {
  echo "serve.sh: TIGHTROPE_MODEL_FINGERPRINT has 64 hex digits, as \`tightrope model import\` printed it" >&2; exit 2; }
# Checks in vLLM are assert statements in places, and the development endpoints run what they are sent.
for name in PYTHONOPTIMIZE VLLM_SERVER_DEV_MODE VLLM_ALLOW_INSECURE_SERIALIZATION; do
  [[ -z "${!name:-}" ]] || { echo "serve.sh: $name must not be set" >&2; exit 2; }
done

# Models quantized by AWQ were made for half precision.
case "$QUANTIZATION" in awq) dtype=float16 ;; *) dtype=bfloat16 ;; esac
dtype="${DTYPE:-$dtype}"

command=(
  "${VLLM:-vllm}" serve "$MODEL_DIR"
  --served-model-name "$MODEL@${TIGHTROPE_MODEL_FINGERPRINT:0:12}"
  --uds "${SOCKET:-/run/tightrope-model/0.sock}"
  --dtype "$dtype"
  --tensor-parallel-size "$GPUS"
  --max-model-len "$MAX_MODEL_LEN"
  --gpu-memory-utilization 0.90
  --max-num-seqs "$MAX_NUM_SEQS"
  --max-num-queued-reqs "$MAX_IN_FLIGHT"
  --generation-config vllm
  --seed 0
  --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}'
  --fingerprint-mode custom
  --fingerprint-value "$TIGHTROPE_MODEL_FINGERPRINT"
  --enable-request-id-headers
  --enable-prompt-tokens-details
  --disable-fastapi-docs
  --max-logprobs 5
  --shutdown-timeout 30
)
[[ -z "${ENFORCE_EAGER:-}" ]] || command+=(--enforce-eager)

if [[ "${1:-}" == --print ]]; then printf '%s\n' "${command[@]}"; exit 0; fi

[[ -n "${VLLM_API_KEY:-}" ]] || { echo "serve.sh: VLLM_API_KEY is not set" >&2; exit 2; }
refuse() { echo "serve.sh: $MODEL_DIR is not the approved model: $1. Run \`tightrope model import $MODEL_DIR\` and compare." >&2; exit 1; }
cd "$MODEL_DIR" || refuse "there is no such folder"
[[ -z "$(find . ! -type f ! -type d -print -quit)" ]] || refuse "it holds links or special files"
[[ "$(sha256sum <tightrope-model.json | cut -c1-64)" == "$TIGHTROPE_MODEL_FINGERPRINT" ]] || refuse "its manifest has another hash"
grep -qxF "  \"sums_sha256\": \"$(sha256sum <SHA256SUMS | cut -c1-64)\"" tightrope-model.json || refuse "SHA256SUMS is not the manifest's"
grep -qxF "  \"name\": \"$MODEL\"," tightrope-model.json || refuse "it is not $MODEL, which the profile $PROFILE is for"
grep -qxF "  \"quantization\": \"$QUANTIZATION\"," tightrope-model.json || refuse "its weights are not of the profile's form ($QUANTIZATION)"
diff <(cut -c67- SHA256SUMS | LC_ALL=C sort) \
  <(find . -type f ! -path ./tightrope-model.json ! -path ./SHA256SUMS -printf '%P\n' | LC_ALL=C sort) >&2 || refuse "files are missing or too many"
echo "serve.sh: hashing the model's files ..." >&2
sha256sum --check --quiet --strict SHA256SUMS >&2 || refuse "files are altered"
echo "serve.sh: $MODEL@${TIGHTROPE_MODEL_FINGERPRINT:0:12} is the approved model; profile $PROFILE" >&2
rm -f "${SOCKET:-/run/tightrope-model/0.sock}"
# The socket is for this user and its group, which the proxy is in.
umask 0007
exec "${command[@]}"
