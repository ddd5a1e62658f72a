# shellcheck shell=bash
# across.sh SERVER CLIENT NATIVE: a server and a client of another system, and those of this one in the folder NATIVE, talk
# to each other both ways. SERVER and CLIENT are started through the words of $EMULATOR.
server=$1 client=$2 native=$3
read -r -a runner <<<"$EMULATOR"
folder=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT

for program in "$native/server/cport-server" "$native/tools/cport-cli"; do
    [[ -x $program ]] || {
        echo "$program is not there: build the preset release first"
        exit 1
    }
done

# serve COMMAND...: starts a server and sets tcp_port.
serve()
{
    mkfifo "$folder/said"
    "$@" --listen 127.0.0.1:0 >"$folder/said" 2>"$folder/log" &
    pid=$!
    local line
    IFS= read -r line <"$folder/said"
    rm "$folder/said"
    [[ $line =~ 'listening on 127.0.0.1:'([0-9]+)', ' ]]
    tcp_port=${BASH_REMATCH[1]}
}

# ask COMMAND...: what the client prints is what it should.
ask()
{
    local said
    said=$("$@" --port "$tcp_port" echo 'from one system to the other')
    [[ ${said%$'\r'} == 'from one system to the other' ]]
    "$@" --port "$tcp_port" ping
    "$@" --port "$tcp_port" --seconds 1 --connections 8 --depth 4 --size 5000 throughput
}

serve "${runner[@]}" "$server"
ask "$native/tools/cport-cli"
kill "$pid"
wait "$pid" || true # as the emulator sees it, a signal

serve "$native/server/cport-server"
ask "${runner[@]}" "$client"
kill "$pid"
wait "$pid"
pid=
