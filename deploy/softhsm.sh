#!/usr/bin/env bash
# SoftHSM2, a PKCS#11 module in software, for the tests of the master key in a module. Installed where this is CI; elsewhere the tests say loudly that they were skipped.
set -euo pipefail
if command -v softhsm2-util >/dev/null 2>&1; then exit 0; fi
if [ "${CI:-}" = "true" ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing SoftHSM2 for the tests of the master key ..."
  apt-get -o DPkg::Lock::Timeout=300 update -qq && apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends softhsm2 >/dev/null
  exit 0
fi
echo "NOTE: softhsm2 is not installed; the tests of the master key in a PKCS#11 module will be SKIPPED (Debian: apt-get install softhsm2)."
