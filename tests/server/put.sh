# shellcheck shell=bash
# put.sh SERVER CLIENT: what goes into `put` comes out of `cat`, byte by byte.
server=$1 client=$2
folder=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT

mkfifo "$folder/said"
mkdir "$folder/root"
"$server" --listen 127.0.0.1:0 --root "$folder/root" --remote-stream-anonymous yes >"$folder/said" 2>"$folder/log" &
pid=$!
IFS= read -r line <"$folder/said"
[[ $line =~ 'listening on 127.0.0.1:'([0-9]+)', ' ]]
tcp_port=${BASH_REMATCH[1]}

head -c 700000 /dev/urandom >"$folder/in"
"$client" --port "$tcp_port" put file <"$folder/in"
"$client" --port "$tcp_port" cat file >"$folder/out"
cmp "$folder/in" "$folder/out"
cmp "$folder/in" "$folder/root/file"
echo short | "$client" --port "$tcp_port" put file
[[ $("$client" --port "$tcp_port" cat file) == short ]]
kill "$pid"
wait "$pid"
pid=
