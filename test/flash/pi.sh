#!/bin/sh
# A start of Raspberry Pi OS as far as it matters here, in namespaces of its own: the file system of this machine under a layer
# that is thrown away, no network, no devices, cloud-init unpacked into it, a stand-in for systemctl that writes down what it is
# told. Arguments: a folder with cloud-init's packages, the card's boot partition as a folder, a folder for results.
set -eu
packages=$1 card=$2 out=$3
layer=$out/layer
mkdir "$layer"
mount -t tmpfs -o size=1500m none "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
root=$layer/root
for package in "$packages"/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -C "$root" --keep-directory-symlink -xf -
done
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
for folder in dev run tmp; do mount -t tmpfs none "$root/$folder"; done
for node in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"
done
ip link set lo up

# As Raspberry Pi OS is: its FAT partition, its network manager, and where it tells cloud-init to look.
mkdir -p "$root/boot/firmware" "$root/etc/NetworkManager/system-connections" "$root/run/systemd/system" "$root/etc/cloud/cloud.cfg.d"
cp -r "$card/." "$root/boot/firmware/"
# Without the modules that look after disks.
cat >"$root/etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg" <<X
datasource_list: [ NoCloud, None ]
datasource: { NoCloud: { seedfrom: "file:///boot/firmware/" } }
cloud_init_modules: [ migrator, bootcmd, write-files, set_hostname, users-groups ]
cloud_config_modules: [ runcmd ]
cloud_final_modules: [ scripts-vendor, scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, final-message ]
X
# Not a container that starts nothing.
rm -f "$root/usr/bin/systemctl" "$root/usr/sbin/policy-rc.d"
cat >"$root/usr/bin/systemctl" <<'X'
#!/bin/sh
echo "$*" >>/root/systemctl
wants=/etc/systemd/system/multi-user.target.wants
case $* in
  enable*hormiga*) shift; mkdir -p $wants; for unit; do ln -sf "/etc/systemd/system/$unit" "$wants/$unit"; done ;;
  *is-enabled*) echo enabled ;;
esac
X
chmod 755 "$root/usr/bin/systemctl"

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
# Runs a command inside and keeps what it said and how it ended.
step() {
  name=$1
  shift
  code=0
  inside "$@" >"$out/$name" 2>&1 || code=$?
  echo "$name $code" >>"$out/codes"
}
keep() { for path; do cp "$root/$path" "$out/$(basename "$path")${suffix-}" 2>/dev/null || true; done; }

start_cloud_init() {
  rm -rf "$root/run/cloud-init"
  step "local$1" cloud-init init --local
  # All of ours has begun before what the user has written runs.
  cp "$root/root/systemctl" "$out/systemctl-early$1" 2>/dev/null || true
  step "network$1" cloud-init init
  step "config$1" cloud-init modules --mode=config
  step "final$1" cloud-init modules --mode=final
}

start_cloud_init 1
suffix=1 keep root/order root/systemctl etc/hostname etc/passwd var/log/cloud-init.log etc/systemd/system/hormiga-firstboot.service

# What systemd would do now. The power went when one package was unpacked, and somebody else has dpkg's lock.
rm -f "$root/root/systemctl"
step unpacked sh -c 'dpkg --unpack /boot/firmware/hormiga/hormiga-node_*.deb'
inside python3 -c 'import fcntl, time
file = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
open("/tmp/locked", "w").close()
time.sleep(2)' &
while [ ! -e "$root/tmp/locked" ]; do sleep 0.1; done
step install env HORMIGA_PAUSE=1 sh /boot/firmware/hormiga/install.sh
wait
suffix=2 keep root/systemctl boot/firmware/hormiga-report.txt boot/firmware/hormiga.toml etc/hormiga/hormiga.json \
  etc/NetworkManager/system-connections/hormiga.nmconnection
step status dpkg -s hormiga hormiga-node

# The engine, as its unit would start it.
inside install -d -m 700 -o hormiga -g hormiga /var/lib/hormiga
cat >"$root/tmp/visit.cjs" <<'X'
const [path, accept] = process.argv.slice(2)
const headers = { host: 'cocina.local:8080', accept }
require('http').get({ port: 8080, host: '::1', path, headers }, (answer) => {
  console.log(path, answer.statusCode, answer.headers['content-type'])
  answer.resume()
})
X
step engine sh -c '
  setpriv --reuid=hormiga --regid=hormiga --clear-groups env STATE_DIRECTORY=/var/lib/hormiga HOME=/var/lib/hormiga \
    /usr/lib/hormiga/launch run --config /etc/hormiga/hormiga.json >/tmp/log 2>&1 & engine=$!
  for i in $(seq 150); do grep -q "by http" /tmp/log && break; sleep 0.1; done
  /usr/lib/hormiga-node/bin/node /tmp/visit.cjs / text/html
  /usr/lib/hormiga-node/bin/node /tmp/visit.cjs /cafetera application/json
  hormiga firstboot --console; echo "console $?"
  kill $engine; wait $engine; echo "ended $?"; cat /tmp/log'
keep etc/issue.d/hormiga.issue

# The next start, and one whose power went between putting a unit there and enabling it.
rm -f "$root/root/systemctl"
find "$root/etc" "$root/boot" "$root/var/lib/hormiga-firstboot" "$root/var/lib/dpkg/status" -type f -exec sha256sum {} + | sort >"$out/before"
step local2 cloud-init init --local
step again sh /boot/firmware/hormiga/install.sh
find "$root/etc" "$root/boot" "$root/var/lib/hormiga-firstboot" "$root/var/lib/dpkg/status" -type f -exec sha256sum {} + | sort >"$out/after"
suffix=3 keep root/systemctl
rm "$root/etc/systemd/system/multi-user.target.wants/hormiga-console.service"
step cut /var/lib/cloud/instance/boothooks/part-001
suffix=4 keep root/systemctl

# Cards that are not right.
inside cp -r /boot/firmware /tmp/damaged
inside cp -r /boot/firmware /tmp/foreign
inside sh -c 'for package in /tmp/damaged/hormiga/hormiga-node_*.deb; do printf x >>"$package"; done; rm /var/lib/hormiga-firstboot/installed
  mkdir -p /tmp/package/DEBIAN; cd /tmp/foreign/hormiga
  printf "Package: hormiga\nVersion: 9\nArchitecture: s390x\nMaintainer: x <x@x.invalid>\nDescription: x\n" >/tmp/package/DEBIAN/control
  dpkg-deb -b /tmp/package hormiga_9_s390x.deb >/dev/null; sha256sum hormiga_9_s390x.deb >SHA256SUMS'
step damaged env HORMIGA_CARD=/tmp/damaged/hormiga sh /tmp/damaged/hormiga/install.sh
step foreign env HORMIGA_CARD=/tmp/foreign/hormiga sh /tmp/foreign/hormiga/install.sh
cp "$root/tmp/damaged/hormiga-report.txt" "$out/damaged.txt"
cp "$root/tmp/foreign/hormiga-report.txt" "$out/foreign.txt"
