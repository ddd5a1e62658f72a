# shellcheck shell=sh
# The same program, by pkg-config. The prefix is relocated: it was configured for another one.
directory=$(dirname "$(find "$PREFIX" -name cport.pc)")
test -n "$directory"
pc()
{
    PKG_CONFIG_PATH=$directory pkg-config --define-prefix "$@" cport
}
test "$(pc --modversion)" = "$VERSION"
cflags=$(pc --cflags)
libs=$(pc --libs)
# Words are flags here, so they stay unquoted.
"$CC" -std=c11 $cflags "$SOURCE/consumer/main.c" -o "$WORK/pkg_config_consumer" $libs
libraries=$(pc --variable=libdir)
LD_LIBRARY_PATH=$libraries "$WORK/pkg_config_consumer" "$VERSION"
