#!/usr/bin/env bash
# nginx and promtool for the checks, unpacked from Debian's packages without root into .cache/tools.
#
#   infra/tools.sh        fetch what is missing; prints the folder that holds them; exit 1 where they cannot be had
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.cache/tools

missing() { [[ ! -x $tools/usr/sbin/nginx ]] || [[ ! -x $tools/usr/bin/promtool ]]; }

if missing; then
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo "tools: no apt-get here" >&2; exit 1; }
  packages=$(mktemp -d)
  trap 'rm -rf "$packages"' EXIT
  mkdir -p "$tools"
  (cd "$packages" && apt-get download -q nginx prometheus >/dev/null) || {
    # Without package lists nothing can be downloaded; only root may fetch the lists.
    [[ $(id -u) == 0 ]] && apt-get update -q >/dev/null && (cd "$packages" && apt-get download -q nginx prometheus >/dev/null)
  } || { echo "tools: nginx and prometheus could not be downloaded" >&2; exit 1; }
  for package in "$packages"/*.deb; do dpkg -x "$package" "$tools"; done
fi
missing && { echo "tools: the packages hold no nginx or promtool" >&2; exit 1; }
printf '%s\n' "$tools"
