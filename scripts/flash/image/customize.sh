#!/bin/sh
# The last step of the base system, run in it by mmdebstrap: the files that a Raspberry Pi starts from, built once.
set -eu
sed -i 's/^update_initramfs=.*/update_initramfs=yes/;/^#/d' /etc/initramfs-tools/update-initramfs.conf
kernel=$(ls /usr/lib/modules)
update-initramfs -c -k "$kernel"
DEB_MAINT_PARAMS=configure /etc/kernel/postinst.d/z50-raspi-firmware
ls -l /boot /boot/firmware
