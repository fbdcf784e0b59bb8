#!/bin/sh
# The init of the load balancer's own kernel under qemu, in an initramfs of the host's programs; guest_serve.sh follows.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t devtmpfs devtmpfs /dev
exec >/dev/console 2>&1
echo "kubelb: kernel runs"
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
ln -s /proc/self/fd /dev/fd

while read -r module; do
  insmod "$module" || echo "kubelb: module failed: $module"
done </lib/modules/order

