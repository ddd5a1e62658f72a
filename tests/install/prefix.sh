# shellcheck shell=sh
# Installs into a prefix of the test's own; the tests after it use what is there.
rm -rf "$PREFIX"
"$CMAKE" --install "$BUILD" --prefix "$PREFIX" >/dev/null
test -f "$PREFIX/include/cport/cport.h"
