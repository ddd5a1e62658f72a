# shellcheck shell=sh
# Every public header compiles with nothing before it, as C11 and as C++17.
flags="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only -I$PREFIX/include"
for header in "$PREFIX"/include/cport/*.h; do
    name=cport/$(basename "$header")
    echo "$name"
    printf '#include <%s>\nextern int header_alone;\n' "$name" >"$WORK/alone.c"
    cp "$WORK/alone.c" "$WORK/alone.cpp"
    "$CC" -std=c11 -pedantic-errors $flags "$WORK/alone.c"
    "$CXX" -std=c++17 -pedantic-errors $flags "$WORK/alone.cpp"
done
