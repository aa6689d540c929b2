#!/bin/sh
# Puts the files of server @SERVER@ where its ZooKeeper reads them. Run it on that server before the first
# start, as the user that runs ZooKeeper or as root:
#
#   sh install.sh [CONF_DIR [DATA_DIR [DATA_LOG_DIR]]]
#
# It refuses a data directory that a server has used, and overwrites nothing. Run again, it changes nothing.
set -eu
umask @UMASK@
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
conf=${1:-'@CONF_DIR@'}
data=${2:-'@DATA_DIR@'}
logs=${3:-'@LOG_DIR@'}

fail() {
    echo "install.sh: $*. Nothing was changed." >&2
    exit 1
}

for dir in "$conf" "$data" "${logs:-/}"; do
    case $dir in
        *[\|\&\\]*) fail "$dir: zoo.cfg cannot hold such a path" ;;
        /*) ;;
        *) fail "$dir: give the whole path, beginning with /" ;;
    esac
done
for dir in "$data" "${logs:-$data}"; do
    if [ -d "$dir/version-2" ]; then
        used=$(ls -A "$dir/version-2")
        [ -z "$used" ] || fail "$dir/version-2 is not empty: a server has used it (zkplan joiner --check $dir)"
    fi
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
# Data beside this script: a copy, whole or not at all; logs go to their own directory.
if [ -d "$here/version-2" ]; then
    for dir in "$data" "${logs:-$data}"; do
        rm -rf "$dir/version-2.new"
        mkdir "$dir/version-2.new"
    done
    for file in "$here"/version-2/*; do
        case $(basename "$file") in
            log.*) cp "$file" "${logs:-$data}/version-2.new/" ;;
            *) cp "$file" "$data/version-2.new/" ;;
        esac
    done
    for dir in "${logs:-$data}" "$data"; do
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
