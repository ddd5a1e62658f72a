# shellcheck shell=bash
# curl.sh SERVER PROGRAM: the program fetches small things and large ones, several at a time, and tells what it could not get.
server=$1
program=$2
shift 2

fail()
{
    printf '%s\n' "$@"
    exit 1
}

# It ends when its input does: with this script.
coproc server { "$server"; }
# shellcheck disable=SC2154 # coproc sets it, and unsets it when the server has ended
server_pid=$server_PID
IFS= read -r -t 60 -u "${server[0]}" port
url=http://127.0.0.1:$port

got=$("$program" "$url/bytes/0" "$url/bytes/1" "$url/bytes/300000" "$url/bytes/5000000" "$url/none" "$url"/together/{8,8,8,8,8,8,8,8} |
    sort)
expected=$(
    printf '%s\n' "200 0 $url/bytes/0" "200 1 $url/bytes/1" "200 300000 $url/bytes/300000" \
        "200 5000000 $url/bytes/5000000" "404 0 $url/none"
    for _ in {1..8}; do echo "200 4 $url/together/8"; done
)
[[ $got == "$(sort <<<"$expected")" ]] || fail "unexpected:" "$got"

# Connections come and go: far more of them than at any one time.
mapfile -t many < <(for i in {1..200}; do echo "$url/bytes/$((i * 100))"; done)
got=$("$program" "${many[@]}" | grep -c '^200 ')
((got == 200)) || fail "only $got of 200"

# Nobody listens there any more: refused, and told.
to_server=${server[1]}
exec {to_server}>&-
wait "$server_pid"
! got=$("$program" "$url/bytes/1") || fail "the server is gone, and yet: $got"
[[ $got == failed:* ]] || fail "unexpected: $got"
