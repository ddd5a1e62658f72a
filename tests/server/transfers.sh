# shellcheck shell=bash
# transfers.sh BACKEND SERVER CLIENT: transfers with cport-cli that are cut off on the way, and streams that take nothing. Programs of
# another system are started through the words of $EMULATOR; what a test needs of Linux is then left out, by name.
backend=$1 server=$2 client=$3
read -r -a runner <<<"${EMULATOR-}"
linux=true
# How a client learns that the server was killed. Under Wine 8 it at times does not: Wine's own server then still has the connection in
# CLOSE_WAIT when the client has gone. That it is Wine's doing alone has not been shown. The time-out ends it there.
death=(--timeout 60) dead='the server closed the connection'
if ((${#runner[@]} > 0)); then
    linux=false
    death=(--timeout 10) dead='the server \(closed the connection\|has been silent\)'
fi
folder=$(mktemp -d)
pid='' other=''
trap 'kill $pid $other 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder" || exit 1

fail()
{
    echo "transfers.sh: line ${BASH_LINENO[0]}: $*"
    cat log errors
    exit 1
}

# status N COMMAND...: how a command must end; `said` and `errors` are what it wrote.
status()
{
    local wanted=$1 got=0
    shift
    "$@" >said 2>errors || got=$?
    [[ $got == "$wanted" ]] || fail "line ${BASH_LINENO[0]}: $* ended with $got"
}
says()
{
    grep -q -- "$1" errors || fail "it does not say $1"
}

serve()
{
    local line
    "${runner[@]}" "$server" --listen 127.0.0.1:0 --backend "$backend" --users users --root root \
        >listening 2>>log &
    pid=$!
    IFS= read -r line <listening
    [[ $line =~ 'listening on 127.0.0.1:'([0-9]+)', ' ]] || fail "it says $line"
    tcp_port=${BASH_REMATCH[1]}
}
ann()
{
    "${wrapper[@]}" "${runner[@]}" "$client" --port "$tcp_port" --timeout 60 --user ann --password-file password "$@"
}
wrapper=()

# until_larger FILE: waits until there is more of it than at first.
until_larger()
{
    local first
    first=$(stat -c %s "$1" 2>/dev/null || echo 0)
    until (($(stat -c %s "$1" 2>/dev/null || echo 0) > first + 300000)); do
        kill -0 "$other" 2>/dev/null || fail "it ended before $1 grew"
    done
}

printf 'ann\n' >password
"${runner[@]}" "$server" passwd --cost least users ann <password >/dev/null
mkdir root
mkfifo listening
: >errors
serve
head -c 3000000 /dev/urandom >in

# A server that dies, and a client that is interrupted: the same command goes on. The file is as good as endless until then.
cut_short()
{
    cp in "root/$1"
    truncate -s 200G "root/$1"
}
make_whole() # of the part that is there, and a bit
{
    truncate -s $(($(stat -c %s "$2") + 3000000)) "root/$1"
}
cut_short file
ann "${death[@]}" download file got 2>errors &
other=$!
until_larger got
kill -KILL "$pid"
wait "$other" && fail 'a server that died was no failure'
got=$?
other=''
[[ $got == 4 ]] || fail "status $got"
says "file: $dead"
says 'of 214748364800 bytes; the same command goes on'
wait "$pid" || true
serve
if $linux; then
    # What is sent to the background ignores an interrupt, unless it is told.
    env --default-signal=INT "$client" --port "$tcp_port" --user ann --password-file password download file got 2>errors &
    other=$!
    until_larger got
    kill -INT "$other"
    wait "$other" || got=$?
    other=''
    [[ $got == 130 ]] || fail "status $got"
fi
make_whole file got
status 0 ann --verify --json download file got
cmp got root/file
grep -q '"verified": true' said
rm got

# An upload goes on too: a server that dies keeps what it has written.
truncate -s 20G large
ann "${death[@]}" upload large large 2>errors &
other=$!
until_larger root/large
kill -KILL "$pid"
wait "$other" && fail 'a server that died was no failure'
other=''
says 'of 21474836480 bytes; the same command goes on'
wait "$pid" || true
serve
truncate -s $(($(stat -c %s root/large) + 1000000)) large
status 0 ann --verify upload large
cmp large root/large
rm large root/large

# The local disk is full; or rather, the file may not grow.
if $linux; then
    truncate -s 3000000 root/file
    limited()
    {
        (
            ulimit -f 1000
            "$@"
        )
    }
    rm -f got
    status 2 limited ann download file got
    says 'cannot write got: File too large'
    says '1024000 of 3000000 bytes'
    status 0 ann download file got
    cmp got root/file

    # Standard output that takes nothing.
    for command in 'cat file' 'ls' 'clients' 'stats' '--help'; do
        got=0
        # shellcheck disable=SC2086
        ann $command 2>errors >/dev/full || got=$?
        [[ $got == 2 ]] || fail "$command to a full disk: $got"
        says 'cannot write to standard output: No space left on device'
        got=0
        # shellcheck disable=SC2086
        ann $command 2>errors >&- || got=$?
        [[ $got == 2 ]] || fail "$command to nowhere: $got"
        says 'cannot write to standard output: Bad file descriptor'
    done
    got=0
    (
        trap '' PIPE
        set +e
        ann cat file 2>errors
        echo $? >ended
    ) | true
    [[ $(<ended) == 2 ]] || fail "cat to a closed pipe: $(<ended)"
    says 'cannot write to standard output: Broken pipe'
    status 2 ann put file <root
    says 'cannot read standard input: Is a directory'

    # The bar is for somebody who looks.
    status 0 ann --restart download file got
    [[ ! -s errors ]] || fail 'a bar, and nobody there'
    script -qec "'$client' --port $tcp_port --user ann --password-file password --restart download file got" /dev/null \
        </dev/null >said
    grep -q $'\r\\[########################################\\] 100 % *3.0 MB' said || fail "$(cat said)"
fi
kill "$pid"
wait "$pid" || [[ ${#runner[@]} -gt 0 ]] # as an emulator sees it, a signal
pid=
