#!/bin/sh
# Puts the files of server @SERVER@ where its ZooKeeper reads them. Run it on that server before the first
# start, as the user that runs ZooKeeper or as root:
#
#   sh install.sh [--seed DIR] [CONF_DIR [DATA_DIR [DATA_LOG_DIR]]]
#
# It refuses a data directory that a server has used, and overwrites nothing. Run again, it changes nothing.
# --seed DIR: begin with the data that zkplan snapshot unpack has put into DIR. They are checked before
# anything is changed, and refused where a file is missing, changed or new.
set -eu
export LC_ALL=C
umask @UMASK@
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

fail() {
    echo "install.sh: $*. Nothing was changed." >&2
    exit 1
}

seed=
if [ "${1:-}" = --seed ]; then
    [ -n "${2:-}" ] || fail "--seed needs a directory"
    seed=$(CDPATH='' cd -- "$2" 2> /dev/null && pwd) || fail "$2: there is no such directory"
    shift 2
fi
case ${1:-} in -*) fail "$1: no such option (the first is --seed DIR)" ;; esac
conf=${1:-'@CONF_DIR@'}
data=${2:-'@DATA_DIR@'}
logs=${3:-'@LOG_DIR@'}
own_logs=$logs
[ "$logs" != "$data" ] || own_logs=
from=${seed:-$here}/version-2
list=zkplan-seed.sha256

for dir in "$conf" "$data" "${logs:-/}"; do
    case $dir in
        *[\|\&\\]*) fail "$dir: zoo.cfg cannot hold such a path" ;;
        /*) ;;
        *) fail "$dir: give the whole path, beginning with /" ;;
    esac
done

sums() {
    if command -v sha256sum > /dev/null; then sha256sum -c "$1"; else shasum -a 256 -c "$1"; fi > /dev/null 2>&1
}

# Whether version-2 of a directory has the files of the list beside it, unchanged, and no others.
unchanged() {
    [ "$(ls -A "$1/version-2" | sort)" = "$(sed 's|^.*/||' "$1/$list" | sort)" ] && (cd "$1" && sums "$list")
}

# The lines of the list for one directory: logs go to their own.
lines() {
    case $1 in
        "$own_logs") grep '/log\.' "$seed/$list" || : ;;
        *) if [ -n "$own_logs" ]; then grep -v '/log\.' "$seed/$list"; else cat "$seed/$list"; fi ;;
    esac
}

filled() {
    [ -d "$1/version-2" ] && [ -n "$(ls -A "$1/version-2")" ]
}

if [ -n "$seed" ]; then
    [ ! -d "$here/version-2" ] || fail "$here has data of its own: it takes no --seed"
    [ -f "$seed/$list" ] && [ -d "$seed/version-2" ] ||
        fail "$seed: zkplan snapshot unpack has put no data there"
    command -v sha256sum > /dev/null || command -v shasum > /dev/null ||
        fail "--seed needs sha256sum or shasum"
    ! grep -qvE '^[0-9a-f]{64}  version-2/(log|snapshot)\.[0-9a-f]+(\.gz|\.snappy)?$' "$seed/$list" ||
        fail "$seed has files that no joiner begins with: pack again, without --with-epochs"
    unchanged "$seed" ||
        fail "$seed is not as it was unpacked: a file is missing, changed or new (zkplan joiner --check $seed)"
fi
for dir in "$data" ${own_logs:+"$own_logs"}; do
    filled "$dir" || continue
    if [ -n "$seed" ]; then
        # What an earlier run has put there, or zkplan snapshot unpack.
        lines "$dir" | cmp -s - "$dir/$list" && unchanged "$dir" && continue
        [ "$dir" != "$seed" ] || fail "$seed has logs, too, and $logs is for them: unpack into another directory"
    elif [ -f "$dir/$list" ] && unchanged "$dir"; then
        fail "$dir has an unpacked archive. To begin with it: --seed $dir (zkplan joiner --check $dir)"
    fi
    fail "$dir/version-2 is not empty: a server has used it (zkplan joiner --check $dir)"
done

# A file as it is to be on this server: zoo.cfg with its paths.
wanted() {
    [ "$1" = zoo.cfg ] || { cat "$here/$1"; return; }
    sed -e "s|^dynamicConfigFile=.*|dynamicConfigFile=$conf/zoo.cfg.dynamic|" \
        -e "s|^dataDir=.*|dataDir=$data|" -e "s|^dataLogDir=.*|dataLogDir=$logs|" "$here/zoo.cfg"
    [ -z "$logs" ] || grep -q '^dataLogDir=' "$here/zoo.cfg" || echo "dataLogDir=$logs"
}

place() {
    if [ "$1" = myid ]; then echo "$data/myid"; else echo "$conf/$1"; fi
}

same() {
    cmp -s - "$1" || fail "$1 is there and is another file: move it away first"
}

missing=
for file in zoo.cfg zoo.cfg.dynamic java.env myid; do
    to=$(place "$file")
    if [ ! -e "$here/$file" ]; then
        [ "$file" = java.env ] || fail "$here/$file is missing"
    elif [ -e "$to" ] || [ -L "$to" ]; then
        wanted "$file" | same "$to"
    else
        missing="$missing $file"
    fi
done

mkdir -p "$conf" "$data" "${logs:-$data}"
owned() {
    [ "$(id -u)" != 0 ] || chown -R "$(ls -ldn "$data" | awk '{ print $3 ":" $4 }')" "$1"
}
# Data beside this script, or a seed: a copy, whole or not at all; logs go to their own directory.
if [ -d "$from" ]; then
    for dir in "$data" ${own_logs:+"$own_logs"}; do
        filled "$dir" && continue
        rm -rf "$dir/version-2.new"
        mkdir "$dir/version-2.new"
        for file in "$from"/*; do
            case $(basename "$file") in log.*) to=${logs:-$data} ;; *) to=$data ;; esac
            [ "$to" != "$dir" ] || cp "$file" "$dir/version-2.new/"
        done
        [ -n "$seed" ] || continue
        lines "$dir" > "$dir/$list"
        owned "$dir/$list"
        [ -z "$(ls -A "$dir/version-2.new")" ] || sed 's|  version-2/|  version-2.new/|' "$dir/$list" |
            (cd "$dir" && sums -) || {
            rm -rf "$dir/version-2.new" "$dir/$list"
            fail "the copy in $dir is not what $seed has"
        }
    done
    for dir in ${own_logs:+"$own_logs"} "$data"; do
        [ -d "$dir/version-2.new" ] || continue
        owned "$dir/version-2.new"
        [ ! -d "$dir/version-2" ] || rmdir "$dir/version-2"
        mv "$dir/version-2.new" "$dir/version-2"
    done
fi
for file in $missing; do
    to=$(place "$file")
    wanted "$file" > "$to.new"
    mv "$to.new" "$to"
    owned "$to"
done
echo "server @SERVER@: the files are in $conf and $data. Start ZooKeeper."
