# shellcheck shell=bash
# echo.sh SOURCE PROGRAM...: the example fits a screen, and echoes to two clients at once.
source=$1
shift
(($(wc -l <"$source") < 60))

# connect PORT PID: opens descriptors 3 and 4 to the program; 2 if it ended instead.
connect()
{
    local refused=/dev/null
    while kill -0 "$2" 2>/dev/null; do
        if { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>"$refused"; then
            exec 4<>"/dev/tcp/127.0.0.1/$1"
            return 0
        fi
    done
    return 2
}

# answers FD TEXT: TEXT comes back.
answers()
{
    local line
    printf '%s\n' "$2" >&"$1"
    IFS= read -r -t 60 -u "$1" line
    [[ $line == "$2" ]]
}

attempts=5
while ((attempts-- > 0)); do
    tcp_port=$((20000 + RANDOM % 10000)) # taken, perhaps: then the program ends and another is tried
    "$@" "$tcp_port" &
    pid=$!
    trap 'kill "$pid" 2>/dev/null || true' EXIT
    connect "$tcp_port" "$pid" || continue
    long=$(printf '%01000d' 7)
    for round in 1 2 3; do
        answers 3 "the first client, round $round"
        answers 4 "the second client, round $round $long"
    done
    exec 3>&-
    answers 4 "the second, after the first has left"
    exit 0
done
echo "the example never listened"
exit 1
