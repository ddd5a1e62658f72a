# shellcheck shell=sh
# The shared library shows what the header declares, all of it and nothing else, under one version node.
library=$(find "$PREFIX" -name 'libcport.so' -print)
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort >"$WORK/exported"
grep -hoE '^CPORT_API [^(]*' "$PREFIX"/include/cport/*.h | grep -oE 'cport_[a-z0-9_]+$' | sort -u |
    sed "s/\$/@@CPORT_0.1/" >"$WORK/declared"
diff -u "$WORK/declared" "$WORK/exported"
test "$(objdump -p "$library" | awk '$1 == "SONAME" { print $2 }')" = "libcport.so.${VERSION%%.*}"
