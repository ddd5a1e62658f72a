# shellcheck shell=bash
# forward.sh SOURCE PEER PROGRAM...: the example fits two screens, and passes on bytes, ends and resets in both directions.
source=$1 peer=$2
shift 2
(($(wc -l <"$source") <= 120))

# listens PORT PID: waits until the program does; 1 if it ended instead.
listens()
{
    while kill -0 "$2" 2>/dev/null; do
        if { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; then
            exec 3>&-
            return 0
        fi
    done
    return 1
}

attempts=5
while ((attempts-- > 0)); do
    tcp_port=$((20000 + RANDOM % 5000)) to_port=$((25000 + RANDOM % 5000)) # taken, perhaps
    "$@" "$tcp_port" "$to_port" &
    pid=$!
    trap 'kill "$pid" 2>/dev/null || true' EXIT
    listens "$tcp_port" "$pid" || continue
    said=$($EMULATOR "$peer" links "$to_port" "$tcp_port" | tr -d '\r') || continue
    [[ $said == '19 links' ]]
    kill -0 "$pid" # and it is there for more
    exit 0
done
echo "the example never passed anything on"
exit 1
