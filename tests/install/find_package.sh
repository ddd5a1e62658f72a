# shellcheck shell=sh
# A project that knows only where the prefix is finds cport, builds with its target and runs.
rm -rf "$WORK/find_package"
"$CMAKE" -S "$SOURCE/consumer" -B "$WORK/find_package" -G Ninja \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_PREFIX_PATH="$PREFIX" -Dcport_WANTED="$VERSION"
"$CMAKE" --build "$WORK/find_package"
"$WORK/find_package/consumer" "$VERSION"
"$WORK/find_package/consumer_workers"
