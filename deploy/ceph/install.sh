#!/usr/bin/env bash
# Ceph's S3 server for the tests of the WORM store. Installed where this is CI, or when asked to (--install, as root); elsewhere those tests say loudly
# that they were skipped.
set -euo pipefail
packages=(radosgw ceph-mon ceph-osd ceph-common libfaketime)
if dpkg -s "${packages[@]}" >/dev/null 2>&1; then exit 0; fi
if { [ "${CI:-}" = "true" ] || [ "${1:-}" = "--install" ]; } && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Ceph for the tests of the WORM store (about 65 MB to download) ..."
  # Another installation may be under way: wait for its lock.
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  exit 0
fi
echo "NOTE: Ceph is not installed; the tests of the WORM store will be SKIPPED (Debian, as root: bash deploy/ceph/install.sh --install)."
