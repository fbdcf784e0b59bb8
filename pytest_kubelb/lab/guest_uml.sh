#!/bin/sh
# The init of the load balancer's own kernel (User Mode Linux on the host's files, through hostfs); guest_serve.sh follows.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
echo "kubelb: kernel runs"
# In an ordinary user's lab the files of the machine's root belong to nobody, and setuid programs (mount is one) would
# run as nobody.
setpriv --no-new-privs sh -c 'mount -t proc proc /proc && mount -o remount,bind,nosuid /'
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs ~root
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts

# Modules lie where Debian's package puts them; the kernel's own autoload does not look there.
mkdir -p /tmp/modules/lib
ln -s /usr/lib/uml/modules /tmp/modules/lib/modules
modprobe -d /tmp/modules -a $KUBELB_MODULES || echo "kubelb: module failed"
ip link set vec0 name eth0 address "$KUBELB_MAC"

# A login shell that starts quickly: every remote command starts one.
sed 's|^root:.*|root:x:0:0:root:/root:/bin/sh|' /etc/passwd >/tmp/passwd
mount --bind /tmp/passwd /etc/passwd
# A /run of its own, as empty after a reboot as anyone's, but for the lab's folder and what a real kube-proxy reads. sshd
# wants a folder there to be root's; in an ordinary user's lab all files of the lab are that user's.
mount --bind /run /mnt
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p "$KUBELB_STATE" /run/sshd
mount --bind "/mnt${KUBELB_STATE#/run}" "$KUBELB_STATE"
ln -s /mnt/kubernetes /run/kubernetes

# xt_nat and its friends are complete for the legacy tools only.
mount --bind /usr/sbin/xtables-legacy-multi /usr/sbin/xtables-nft-multi

