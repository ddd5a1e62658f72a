# shellcheck shell=bash
# The readme's example is a whole program: it builds as it stands and greets two visitors.
awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$SOURCE/README.md" >"$WORK/example.c"
lines=$(wc -l <"$WORK/example.c")
((lines > 0))

# The port in the text may be taken on this machine, so the test uses others: the first that the example gets.
visit()
{
    local tcp_port=$1 pid=$2 line
    while kill -0 "$pid" 2>/dev/null; do
        if { exec 3<>"/dev/tcp/127.0.0.1/$tcp_port"; } 2>/dev/null; then
            read -r -t 60 line <&3
            exec 3>&-
            [[ $line == hello ]]
            return
        fi
    done
    return 2
}

libraries=$(PKG_CONFIG_PATH=$BUILD pkg-config --libs cport)
attempts=5
while ((attempts-- > 0)); do
    tcp_port=$((20000 + RANDOM % 10000))
    sed "s/7777/$tcp_port/" "$WORK/example.c" >"$WORK/example_port.c"
    "$CC" -std=c11 -Wall -Wextra -Werror -I"$SOURCE/include" "$WORK/example_port.c" -o "$WORK/example" \
        -L"$BUILD/libcport" -Wl,-rpath,"$BUILD/libcport" $libraries
    "$WORK/example" &
    pid=$!
    trap 'kill "$pid" 2>/dev/null || true' EXIT
    status=0
    visit "$tcp_port" "$pid" || status=$?
    ((status == 2)) && continue # it could not listen there
    ((status == 0))
    visit "$tcp_port" "$pid"
    exit 0
done
echo "the example never listened"
exit 1
