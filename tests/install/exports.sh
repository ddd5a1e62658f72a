# shellcheck shell=sh
# Each library shows what its headers declare, all of it and nothing else; a shared one under one version node.
# exports LIBRARY MACRO NODE
exports()
{
    grep -hoE "^$2 [^(]*" "$PREFIX"/include/cport/*.h | grep -oE 'cport_[a-z0-9_]+$' | sort -u >"$WORK/declared"
    archive=$(find "$PREFIX" -name "$1.a" -print)
    if [ -n "$archive" ]; then
        nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort >"$WORK/exported"
        diff -u "$WORK/declared" "$WORK/exported"
        return
    fi
    library=$(find "$PREFIX" -name "$1.so" -print)
    nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort >"$WORK/exported"
    sed -i "s/\$/@@$3/" "$WORK/declared"
    diff -u "$WORK/declared" "$WORK/exported"
    test "$(objdump -p "$library" | awk '$1 == "SONAME" { print $2 }')" = "$1.so.${VERSION%%.*}"
}
exports libcport CPORT_API CPORT_0.1
exports libcport-workers CPORT_WORKERS_API CPORT_WORKERS_0.1
