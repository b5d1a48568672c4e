#!/usr/bin/env bash
# Chromium and CJK fonts for the browser tests. Installed where this is CI; elsewhere the tests say loudly that they were skipped.
set -euo pipefail
if command -v chromium >/dev/null 2>&1; then exit 0; fi
if [ "${CI:-}" = "true" ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium and CJK fonts for the browser tests ..."
  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null
  exit 0
fi
echo "NOTE: chromium is not installed; the browser tests will be SKIPPED (Debian: apt-get install chromium fonts-noto-cjk)."
