#!/bin/sh
# One node of a test's cluster: node.sh SITE NAME. start_slurm.ts starts it in mount, UTS and PID
# namespaces of its own, so that it is apart from the other nodes as on a real cluster.
set -eu
site="$1" name="$2" node="$1/nodes/$2"
hostname "${name}"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/node /run/pyxis
mount --bind "${node}/data" /run/node
# pyxis makes this one as root.
install -d -m 700 -o 65534 -g 65534 /run/pyxis/65534
# A job's epilog has this PATH and no other.
mount --bind "${node}/bin" /usr/local/bin
settings=/usr/local/etc
[ ! -d /etc/enroot ] || settings=/etc
mount -t tmpfs tmpfs "${settings}/enroot" 2> /dev/null || {
    mount -t tmpfs tmpfs "${settings}"
    mkdir "${settings}/enroot"
}
cp "${site}/enroot.conf" "${settings}/enroot/"
for file in pyxis.conf plugstack.conf; do mount --bind "${node}/${file}" "${site}/${file}"; done
# Where version 1 and 2 of control groups are mixed, a container with a network of its own has neither.
umount --recursive /sys/fs/cgroup 2> /dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2> /dev/null || true
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
exec slurmd -D -N "${name}" -f "${site}/slurm.conf"
