#!/usr/bin/env bash
# A client of herd in a shell, with nothing but bash.
#
#   bash examples/herd_client.sh report 127.0.0.1 12000 kiwi +34.068930-118.445127
#   bash examples/herd_client.sh ask    127.0.0.1 12003 kiwi 10 5
#
# With netcat it is one line: printf 'WHATSAT kiwi 10 5\n' | nc -N 127.0.0.1 12003
set -euo pipefail

usage() {
    sed -n 's/^#   //p' "$0" >&2
    exit 64
}

# say HOST PORT LINE: sends a line and prints the reply. A reply to IAMAT is one line. A reply to WHATSAT ends
# with an empty line. A reply that begins with `?` means that the server refused the line.
say() {
    exec 3<>"/dev/tcp/$1/$2"
    printf '%s\n' "$3" >&3
    local line first=""
    while IFS= read -r -t 10 line <&3; do
        if [ -z "$first" ]; then
            first=$line
            printf '%s\n' "$line"
            case $line in
            AT\ *) [[ $3 == WHATSAT* ]] || break ;;
            *) return 1 ;;
            esac
        elif [ -z "$line" ]; then
            break
        else
            printf '%s\n' "$line"
        fi
    done
    exec 3>&-
    [ -n "$first" ]
}

case "${1-}" in
report)
    [ $# -eq 5 ] || usage
    # The date of BSD and macOS has no %N, and leaves a letter.
    time=$(date +%s.%N)
    case $time in *[!0-9.]*) time=$(date +%s) ;; esac
    say "$2" "$3" "IAMAT $4 $5 $time"
    ;;
ask)
    [ $# -eq 6 ] || usage
    say "$2" "$3" "WHATSAT $4 $5 $6"
    ;;
*) usage ;;
esac
