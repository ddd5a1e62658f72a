# shellcheck shell=bash
# chat.sh SOURCE PROGRAM...: the example fits three screens; everybody hears the others, in order, and not themselves.
source=$1
shift
(($(wc -l <"$source") < 160))

# hears FD TEXT: the next line there is TEXT behind its speaker's number.
hears()
{
    local line
    IFS= read -r -t 60 -u "$1" line
    [[ $line == [0-9]*": $2" ]] || {
        echo "heard '$line' instead of '$2'"
        exit 1
    }
}

# until_heard FD TEXT: TEXT comes, sooner or later.
until_heard()
{
    local line
    while IFS= read -r -t 60 -u "$1" line; do
        [[ $line != [0-9]*": $2" ]] || return 0
    done
    echo "never heard '$2'"
    exit 1
}

connect()
{
    local refused=/dev/null
    while kill -0 "$2" 2>/dev/null; do
        if { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>"$refused"; then
            exec 4<>"/dev/tcp/127.0.0.1/$1" 5<>"/dev/tcp/127.0.0.1/$1"
            return 0
        fi
    done
    return 2
}

attempts=5
while ((attempts-- > 0)); do
    tcp_port=$((20000 + RANDOM % 10000)) # taken, perhaps: then the program ends and another is tried
    "$@" "$tcp_port" &
    pid=$!
    trap 'kill "$pid" 2>/dev/null || true' EXIT
    connect "$tcp_port" "$pid" || continue
    # Who has been accepted is known once they have been heard by somebody.
    printf 'a\n' >&4
    hears 3 a
    printf 'b\n' >&5
    hears 3 b
    hears 4 b
    printf 'one\ntw' >&3
    printf 'o\n' >&3
    hears 4 one
    hears 4 two
    until_heard 5 one # it may have joined before the first letter, or after
    hears 5 two
    exec 4>&-
    for round in 1 2 3; do
        printf 'round %d\n' "$round" >&5
        hears 3 "round $round"
    done
    # Nobody reads 3 and 5 any more: more than their buffers hold ends them, and those who come later do not notice.
    exec 6<>"/dev/tcp/127.0.0.1/$tcp_port"
    yes "$(printf '%0400d' 7)" | head -c 12000000 >&6
    cat <&3 >/dev/null 2>&1 || true
    cat <&5 >/dev/null 2>&1 || true
    exec 7<>"/dev/tcp/127.0.0.1/$tcp_port"
    printf 'are you there\n' >&7
    until_heard 6 'are you there'
    exit 0
done
echo "the example never listened"
exit 1
