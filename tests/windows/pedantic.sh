# shellcheck shell=sh
# pedantic.sh SOURCE COMPILER: the headers, the engine and os_*windows.c compile without any extension or warning.
source=$1
compiler=$2
flags="-std=c11 -pedantic-errors -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only
    -D_WIN32_WINNT=0x0A00 -DWIN32_LEAN_AND_MEAN
    -I$source/include -I$source/libcport -I$source/backends"
# The build says the same of the sources with its own compiler.
case $compiler in
*gcc) set -- ;;
*) set -- "$source"/backends/iocp/*.c "$source"/libcport/os_*windows.c ;;
esac
for file in "$@"; do
    echo "$file"
    # shellcheck disable=SC2086 # words, both
    $compiler $flags "$file"
done
for header in "$source"/include/cport/*.h "$source"/backends/iocp/*.h; do
    echo "$header"
    # shellcheck disable=SC2086
    printf '#include "%s"\nextern int header_alone;\n' "$header" | $compiler $flags -x c -
done
# -pedantic-errors lets these pass.
! grep -nE '__attribute__|__builtin_|__typeof|__asm|__extension__' "$source"/backends/iocp/*.[ch] "$source"/libcport/os_*windows.c
