#!/bin/busybox sh
# The initial RAM disk: loads the modules for the disk and mounts it, then goes on with its init.
busybox mount -t devtmpfs dev /dev
while read -r module; do
    busybox insmod "/modules/$module.ko"
done </modules/list
# The disk may take a moment to be found.
tries=0
until busybox mount -t ext4 /dev/vda /root 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" = 50 ]; then
        echo "initrd: no ext4 file system on /dev/vda" >/dev/console
        busybox poweroff -f
    fi
    busybox usleep 200000
done
busybox mount -o move /dev /root/dev
exec busybox switch_root /root /sbin/init
