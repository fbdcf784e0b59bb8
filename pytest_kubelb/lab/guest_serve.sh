# What follows is the same on every kernel the load balancer has for itself.
# The kernel hands over KUBELB_STATE, KUBELB_NAME, KUBELB_ADDRESS and KUBELB_MAC as environment variables.
# What is written to the console is the lab's console.log; the line "kubelb: ready" tells the holder that sshd listens.
hostname "$KUBELB_NAME"

# An autoload that cannot succeed still costs a process each time: 2 s for one iptables-restore (measured).
echo >/proc/sys/kernel/modprobe

# What kube-proxy sets when it starts (conntrack.min and a fourth of it as buckets). The default for a small machine is
# 2048 connections: full after a few runs, and every packet of a new one is dropped.
echo 131072 >/proc/sys/net/netfilter/nf_conntrack_max
echo 32768 >/sys/module/nf_conntrack/parameters/hashsize

ip link set lo up
ip link set eth0 up
ip addr add "$KUBELB_ADDRESS" dev eth0
echo 1 >/proc/sys/net/ipv4/ip_forward

# What flannel wrote for the overlay the lab starts with.
ip -batch "$KUBELB_STATE/flannel.ip" && bridge -batch "$KUBELB_STATE/flannel.bridge" || echo "kubelb: flannel failed"

# sshd goes to the background before it listens (state 0A of port 0016), so that is waited for as well.
/usr/sbin/sshd -f "$KUBELB_STATE/sshd_config_$KUBELB_NAME" -o "ListenAddress=${KUBELB_ADDRESS%/*}" || echo "kubelb: sshd failed"
until grep -q ":0016 00000000:0000 0A" /proc/net/tcp; do :; done
echo "kubelb: ready"
# Processes whose parent has gone are this shell's to reap.
while :; do sleep 3600; done
