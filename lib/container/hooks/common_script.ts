/** The functions that hooks of sites take from enroot's `common.sh`. Written in bash, as hooks are. */

export const COMMON_SCRIPT = `# Functions for hooks. denroot writes this file at each start.

common::fmt() {
    printf '%s' "$2"
}

# LEVEL MESSAGE; a message that is "-" stands for the lines of standard input.
common::log() {
    local prefix= line=
    [ "$#" -ge 1 ] && prefix="[$1] "
    if [ "$#" -lt 2 ] || [ -z "$2" ]; then
        return 0
    elif [ "$2" = "-" ]; then
        while read -t .01 -r line; do
            printf '%s%b\\n' "$prefix" "$line" >&2
        done
        return 0
    fi
    printf '%s%b\\n' "$prefix" "$2" >&2
}

common::err() {
    common::log ERROR "$1"
    exit 1
}

common::checkcmd() {
    local program
    for program in "$@"; do
        command -v "$program" > /dev/null || common::err "Command not found: $program"
    done
}

common::realpath() {
    local resolved
    resolved=$(readlink -f "$1" 2> /dev/null) || common::err "No such file or directory: $1"
    printf '%s' "$resolved"
}

common::chdir() {
    cd "$1" 2> /dev/null || common::err "Could not change directory: $1"
}

common::read() {
    read "$@" || true
}

# NAME TEXT: the lines of a text become an array.
common::readstrarray() {
    [ -z "$2" ] || readarray -t "$1" <<< "$2"
}

common::mktmpdir() {
    (umask 077 && mktemp -d "$ENROOT_TEMP_PATH/$1.XXXXXXXXXX")
}

common::rmall() {
    rm -rf --one-file-system -- "$1" 2> /dev/null && return
    chmod -R u+rwX -- "$1" 2> /dev/null || true
    rm -rf --one-file-system -- "$1"
}

# list|exec SUFFIX DIRECTORY
common::runparts() {
    local file
    for file in "$3"/*"$2"; do
        if [ ! -e "$file" ]; then
            continue
        elif [ "$1" = "list" ]; then
            printf '%s\\n' "$file"
        elif [ "$1" = "exec" ] && [ -x "$file" ]; then
            "$file" || common::err "$file exited with return code $?"
        fi
    done
}

# The text of a file, with the values of the variables that it refers to.
common::envsubst() {
    local _line _rest _name
    local -r _reference='^(.*)\\$\\{([A-Za-z_][A-Za-z0-9_]*)\\}(.*)$'
    [ -f "$1" ] || return 0
    while IFS= read -r _line || [ -n "$_line" ]; do
        _rest=
        while [[ "$_line" =~ $_reference ]]; do
            _name="\${BASH_REMATCH[2]}"
            _rest="\${!_name-}\${BASH_REMATCH[3]}$_rest"
            _line="\${BASH_REMATCH[1]}"
        done
        printf '%s%s\\n' "$_line" "$_rest"
    done < "$1"
}

common::mountpoint() {
    local place
    place=$(common::realpath "$1")
    until [ "$place" = "/" ] || mountpoint -q "$place"; do
        place=$(dirname "$place")
    done
    printf '%s' "$place"
}

# The user and the group who started the container, as getent(1) prints them.
common::getpwent() {
    local uid x
    read -r x uid x < /proc/self/uid_map
    getent passwd "$uid"
}

common::getgrent() {
    local gid x
    read -r x gid x < /proc/self/gid_map
    getent group "$gid"
}

common::debarch() {
    case "$1" in
        x86_64) printf 'amd64' ;;
        aarch64) printf 'arm64' ;;
        ppc64le) printf 'ppc64le' ;;
        *) common::err "Unsupported architecture: $1" ;;
    esac
}
`;
