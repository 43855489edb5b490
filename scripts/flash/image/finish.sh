#!/bin/sh
# Run in the finished tree: installs what lies in /tmp/debs, says what starts, and takes away what belongs to one computer alone.
set -eu
export DEBIAN_FRONTEND=noninteractive
dpkg -i /tmp/debs/*.deb
rm -r /tmp/debs
# Two of them are one too many.
if [ -x /usr/lib/hormiga-node/bin/node ]; then apt-get --yes purge --auto-remove nodejs; fi

# systemd has units for all of these; switching one on or off by such a script too takes a slow board half a minute.
rm -f /etc/init.d/*

systemctl set-default multi-user.target
systemctl enable systemd-networkd systemd-resolved systemd-timesyncd hormiga-grow hormiga-firstboot hormiga-console
# SSH is for who asks for it in the settings; bluetoothd would be a second owner of the adapter; the rest writes to the card now
# and then, or waits for a network.
systemctl disable ssh.service ssh.socket bluetooth.service systemd-networkd-wait-online.service \
  wpa_supplicant.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf

passwd --lock root >/dev/null
rm -f /etc/ssh/ssh_host_* /var/lib/systemd/random-seed /var/lib/dbus/machine-id
: > /etc/machine-id

# The kernel and what it starts with are on the boot partition alone.
rm -f /boot/vmlinuz-* /boot/initrd.img-* /usr/lib/modules/*/vmlinuz /vmlinuz* /initrd.img*
# What tells when it was built.
rm -f /var/cache/apt/*.bin /var/log/apt/* /var/log/*.log /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old \
  /var/cache/debconf/*-old /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
