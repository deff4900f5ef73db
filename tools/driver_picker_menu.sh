#!/bin/sh
# Choose a driver in two menus, subsystem and driver, then extract it.
# Options: those of `packager pick`, above all --linux-src DIR.
set -eu
self=$(readlink -f "$0" 2>/dev/null || echo "$0")
packager=$(dirname "$self")/packager
subsystem=ask
for option; do
    case $option in
    -h | --help) exec "$packager" pick --help ;;
    --driver | --driver=*) exec "$packager" extract "$@" ;;
    --subsystem | --subsystem=*) subsystem=given ;;
    esac
done
# Cancelled: the message has been printed, the status is that of dialog.
choice=$("$packager" pick "$@") || exit
tab=$(printf '\t')
if [ $subsystem = ask ]; then
    set -- "$@" --subsystem "${choice%%"$tab"*}"
fi
exec "$packager" extract "$@" --driver "${choice#*"$tab"}"
