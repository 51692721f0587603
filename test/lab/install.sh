#!/bin/sh
# What `npm test` needs before it can start, on a machine that has only git, Go and some Node: the npm packages (Node 24 is one
# of them), then the real parts of the lab. `install.sh packages` stops after the first.
set -eu
cd "$(dirname "$0")/../.."

installed=node_modules/.slipway-installed
if ! cmp -s package-lock.json "$installed"; then
  if [ -d node_modules ]; then verb='install --no-save'; else verb=ci; fi
  echo "lab: npm $verb"
  # shellcheck disable=SC2086 # the verb and its flag are two words
  npm $verb --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json "$installed"
fi

PATH="$PWD/node_modules/.bin:$PATH"
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
if [ "$major" -lt 24 ]; then
  echo "lab: Node 24 is needed and Node $major is what was found; install Node 24 and try again." >&2
  exit 1
fi
[ "${1:-}" = packages ] || exec node test/lab/install.ts
