#!/bin/sh
# Installs the packages that lie beside this on the card, without a network, and takes over the settings there. Runs at every
# start: what is done already is not done again, and what a power cut has left half done is done again.
set -u
card=${HORMIGA_CARD:-/boot/firmware/hormiga}
state=/var/lib/hormiga-firstboot
boot=$(dirname "$card")

say() { echo "hormiga: $*"; }

# In the file that people find on the card when they put it into another computer.
fail() {
  say "$*" >&2
  printf 'hormiga: nothing was installed\r\n\r\n  ! %s\r\n' "$*" >"$boot/hormiga-report.txt"
  exit 1
}

# dpkg has one user at a time: somebody else may be installing, as cloud-init does for user-data.
locked() { grep -q 'lock' "$state/dpkg.log"; }

install_packages() {
  for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i "$@" >"$state/dpkg.log" 2>&1 && return 0
    locked || return 1
    say "dpkg is busy: waiting (try $try of 20)"
    sleep "${HORMIGA_PAUSE:-15}"
  done
  return 1
}

mkdir -p "$state"
if [ -f "$card/SHA256SUMS" ]; then
  sum=$(sha256sum "$card/SHA256SUMS" | cut -d ' ' -f 1)
  if [ "$(cat "$state/installed" 2>/dev/null)" != "$sum" ]; then
    cd "$card" || fail "$card can't be read"
    sha256sum --check --strict --quiet SHA256SUMS >&2 ||
      fail 'a package on the card is damaged. Run scripts/flash inject again.'
    own=$(dpkg --print-architecture)
    set --
    while read -r _ package; do
      for_arch=$(dpkg-deb -f "$package" Architecture) || fail "$package is no package"
      [ "$for_arch" = "$own" ] || [ "$for_arch" = all ] ||
        fail "$package is for $for_arch, and this system is $own. Take the other Raspberry Pi OS, or the other packages."
      set -- "$@" "./$package"
    done <SHA256SUMS
    say "installing $*"
    install_packages "$@" || fail "dpkg could not install them: $(grep -v '^(Reading' "$state/dpkg.log" | tail -n 3 | tr '\n' ' ')"
    printf '%s\n' "$sum" >"$state/installed.new"
    sync "$state/installed.new"
    mv "$state/installed.new" "$state/installed"
    sync "$state"
  fi
fi
exec hormiga firstboot --card "$boot"
