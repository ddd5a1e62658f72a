# shellcheck shell=bash
# scan.sh SOURCE PEER ECHO PROGRAM...: the example fits two screens, finds the port that answers among many that do not, and
# leaves one that is silent behind in time.
source=$1 peer=$2 echo=$3
shift 3
(($(wc -l <"$source") <= 100))
folder=$(mktemp -d)
coproc SILENT { $EMULATOR "$peer" silent; }
pids=("$SILENT_PID")
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -r "$folder"' EXIT
IFS= read -r -t 60 silent <&"${SILENT[0]}"
silent=${silent%$'\r'}

"$@" "$silent" "$silent" 2>"$folder/said" >"$folder/ports"
[[ $(tr -d '\r' <"$folder/said") == '0 answered, 0 refused, 1 silent' && ! -s $folder/ports ]]

attempts=5
while ((attempts-- > 0)); do
    tcp_port=$((20000 + RANDOM % 10000))
    $EMULATOR "$echo" "$tcp_port" &
    pids+=($!)
    until { exec 3<>"/dev/tcp/127.0.0.1/$tcp_port"; } 2>/dev/null; do
        kill -0 "${pids[-1]}" 2>/dev/null || continue 2 # the port was taken
    done
    exec 3>&-
    # Others may listen or connect on this machine meanwhile: ours must be among those found.
    "$@" "$((tcp_port - 300))" "$((tcp_port + 300))" 2>"$folder/said" >"$folder/ports"
    tr -d '\r' <"$folder/ports" | grep -qx "$tcp_port"
    tr -d '\r' <"$folder/said" | awk '{ exit $1 + $3 + $5 != 601 }'
    exit 0
done
echo "the echo example never listened"
exit 1
