#!/bin/sh
# Makes the one file that a mirror needs out of nearlayer-mirror and lib/, and installs it with its systemd units:
#     sh install.sh [PREFIX]          /usr/local by default; DESTDIR is put before it
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
prefix=${DESTDIR:-}${1:-/usr/local}
mkdir -p "$prefix/bin" "$prefix/lib/systemd/system"
awk -v lib="$here/lib/" '
  /^LIB=/ { next }
  /^\. "\$LIB\// {
    file = lib substr($0, 9, length($0) - 9)
    while ((got = (getline line < file)) > 0) if (line !~ /^# shellcheck shell=/) print line
    if (got < 0) exit 1
    close(file)
    next
  }
  { print }' "$here/nearlayer-mirror" >"$prefix/bin/nearlayer-mirror.new"
chmod 755 "$prefix/bin/nearlayer-mirror.new"
mv "$prefix/bin/nearlayer-mirror.new" "$prefix/bin/nearlayer-mirror"
sed "s|/usr/local/bin/|${1:-/usr/local}/bin/|" "$here/systemd/nearlayer-mirror.service" \
  >"$prefix/lib/systemd/system/nearlayer-mirror.service"
cp "$here/systemd/nearlayer-mirror.timer" "$prefix/lib/systemd/system/"
echo "$prefix/bin/nearlayer-mirror"
