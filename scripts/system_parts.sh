#!/usr/bin/env bash
# Install what tests and benchmarks need from the system, with apt-get where that is allowed; else say what is skipped.
#   system_parts.sh test|node|bench
# With CI=true a missing part is a failure.
set -euo pipefail

case "${1:-test}" in
    test) parts=(chromium:chromium curl:curl redis-server:redis-server npm:nodejs npm:npm) ;;
    node) parts=(npm:nodejs npm:npm) ;;
    bench) parts=(nginx:nginx-light wrk:wrk) ;;
    *) echo "usage: $0 test|node|bench" >&2; exit 2 ;;
esac

missing=()
for part in "${parts[@]}"; do
    command -v "${part%%:*}" >/dev/null || missing+=("${part##*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing ${missing[*]} with apt-get ..."
    export DEBIAN_FRONTEND=noninteractive
    if apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then exit 0; fi
fi

echo "MISSING: ${missing[*]}. Tests that need them are skipped; install them with the system's package manager." >&2
[ "${CI:-}" = true ] && exit 1
exit 0
