# shellcheck shell=sh
# The same programs, by pkg-config. The prefix is relocated: it was configured for another one.
directory=$(dirname "$(find "$PREFIX" -name cport.pc)")
test -n "$directory"
pc()
{
    PKG_CONFIG_PATH=$directory pkg-config --define-prefix "$@"
}
# consumer MODULE SOURCE
consumer()
{
    test "$(pc --modversion "$1")" = "$VERSION"
    cflags=$(pc --cflags "$1")
    libs=$(pc --libs "$1")
    # Words are flags here, so they stay unquoted.
    "$CC" -std=c11 $cflags "$SOURCE/consumer/$2" -o "$WORK/pkg_config_$1" $libs
    libraries=$(pc --variable=libdir cport)
    LD_LIBRARY_PATH=$libraries "$WORK/pkg_config_$1" "$VERSION"
}
consumer cport main.c
consumer cport-workers workers.c
