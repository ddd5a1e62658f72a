# shellcheck shell=bash
# Every ```c block of the documentation compiles cleanly, after the includes that a reader takes for granted.
flags="-std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only -I$SOURCE/include"
count=0
for page in "$SOURCE"/README.md "$SOURCE"/docs/*.md; do
    name=$(basename "$page" .md)
    rm -f "$WORK/$name".*.c
    awk -v out="$WORK/$name" '
        /^```c$/ { inside = 1; file = sprintf("%s.%d.c", out, FNR); print "#line " FNR + 1 " \"" FILENAME "\"" >file; next }
        /^```$/ { inside = 0 }
        inside { print >file }' "$page"
    for block in "$WORK/$name".*.c; do
        [[ -f $block ]] || continue
        "$CC" $flags -include stdio.h -include cport/cport.h "$block"
        count=$((count + 1))
    done
done
echo "$count blocks compiled"
((count >= 8))
