#!/bin/bash
# namespace.sh COMMAND…: as root in a user namespace of its own, so that what is mounted vanishes with it, where programs for
# arm64 run by qemu-user if they don't run anyway; the machine's own binfmt_misc stays as it is. Emulating needs Linux 6.7.
# Run by root every id is itself; run by somebody else that is root inside, and the other ids are those of /etc/subuid.
set -eu
inside='
if [ "$(uname -m)" != aarch64 ] && [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
  mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
  cat /usr/lib/binfmt.d/qemu-aarch64.conf > /proc/sys/fs/binfmt_misc/register
fi
exec "$@"'
if [ "$(id -u)" != 0 ]; then
  exec unshare --user --mount --propagation private --map-root-user --map-auto bash -c "$inside" namespace "$@"
fi
pipes=$(mktemp -d)
trap 'rm -rf "$pipes"' EXIT
mkfifo "$pipes/ready" "$pipes/go"
unshare --user --mount --propagation private bash -c "echo \$\$ > $pipes/ready; read -r _ < $pipes/go
$inside" namespace "$@" &
read -r pid < "$pipes/ready"
# Only from outside may somebody say which id is which.
for map in uid_map gid_map; do echo '0 0 4294967295' > "/proc/$pid/$map"; done
echo go > "$pipes/go"
wait $!
