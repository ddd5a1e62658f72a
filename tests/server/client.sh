# shellcheck shell=bash
# client.sh BACKEND SERVER CLIENT: cport-cli where standard input or a file of passwords matters. Programs of another system
# are started through the words of $EMULATOR.
backend=$1 server=$2 client=$3
read -r -a runner <<<"${EMULATOR-}"
folder=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder" || exit 1

fail()
{
    echo "client.sh: $*"
    cat log
    exit 1
}

# status N COMMAND...: how a command must end; `said` and `errors` are what it wrote.
status()
{
    local wanted=$1 got=0
    shift
    "$@" >said 2>errors || got=$?
    [[ $got == "$wanted" ]] || fail "line ${BASH_LINENO[0]}: $* ended with $got: $(cat errors)"
}

cli()
{
    "${runner[@]}" "$client" --port "$tcp_port" --timeout 60 "$@"
}
ann()
{
    cli --user ann --password-file ann.password "$@"
}

printf 'ann\n' >ann.password
"${runner[@]}" "$server" passwd --cost least --admin users ann <ann.password >/dev/null
mkdir root
mkfifo listening
"${runner[@]}" "$server" --listen 127.0.0.1:0 --backend "$backend" --users users --root root >listening 2>log &
pid=$!
IFS= read -r line <listening
[[ $line =~ 'listening on 127.0.0.1:'([0-9]+)', ' ]] || fail "it says $line"
tcp_port=${BASH_REMATCH[1]}

# Passwords: from a file, from the environment, wrong, none.
status 0 ann clients
grep -q $'\tcontrol\tann\t' said
status 0 ann publish room nobody
CPORT_PASSWORD=ann status 0 cli --user ann clients
CPORT_PASSWORD=wrong status 1 cli --user ann clients
CPORT_PASSWORD=wrong status 1 cli --user ann publish room nobody
grep -q 'such user' errors || grep -q 'not allowed' errors
status 2 cli --user ann --password-file nowhere clients
grep -q 'no password in nowhere' errors
status 2 cli --user ann clients </dev/null
status 0 cli --user ann clients <ann.password

# A password that is typed is not seen, and who thinks better of it gets the terminal back as it was.
if ((${#runner[@]} == 0)); then
    mkfifo keys screen
    env --default-signal=INT script -qefc "trap : INT; '$client' --port $tcp_port --user ann ls; echo status \$?; stty -a" /dev/null <keys >screen &
    terminal=$!
    exec 5>keys 6<screen
    IFS= read -r -d : _ <&6
    printf 'hunter2\003' >&5
    cat <&6 >seen
    wait "$terminal"
    exec 5>&- 6<&-
    grep -q 'status 130' seen || fail "$(cat seen)"
    grep -q ' echo ' seen || fail "$(cat seen)"
    grep -q hunter2 seen && fail "the password is seen: $(cat seen)"
fi

# What goes into `put` comes out of `cat`, byte by byte.
head -c 700000 /dev/urandom >in
ann put file <in
ann cat file >out
cmp in out
cmp in root/file
printf short | ann put file
[[ $(ann cat file) == short ]] || fail 'put must cut a file'

# What others have written does not reach the terminal as it is.
ann --count 1 --json subscribe room >said &
listener=$!
until [[ $(ann publish room $'a\e"b') == 1* ]]; do :; done
wait "$listener"
grep -q 'data": "a\\u001b\\"b"' said || fail "$(cat said)"

# A room: what one says the other sees, and the end of the input is the end.
mkfifo typed
ann --json chat room <typed >seen &
talker=$!
exec 4>typed
until [[ $(ann publish room hello) == 1* ]]; do :; done
echo 'one line' | ann chat room >said
printf 'and another\n' >&4
until grep -q 'ann: and another' seen; do kill -0 "$talker" || fail 'the room is gone'; done
exec 4>&-
wait "$talker"
grep -q '"data": "ann: one line"' seen || fail "$(cat seen)"

kill "$pid"
wait "$pid" || [[ ${#runner[@]} -gt 0 ]] # as an emulator sees it, a signal
pid=
