#!/bin/busybox sh
# The first process of the guest. It loads siw, and then serves a shell on a port of TCP: each connection is one
# command, whose output comes back.
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
exec >/dev/ttyS0 2>&1
while read -r module; do
    insmod "/modules/$module" || echo "insmod $module failed"
done </modules/list
ulimit -l unlimited
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
rdma link add siw0 type siw netdev eth0
# The neighbour is to be known before rdma_resolve_addr asks for it.
ping -c 1 -W 5 10.0.2.2

# A shell for each connection.
exec shell "$(cat /control)"
