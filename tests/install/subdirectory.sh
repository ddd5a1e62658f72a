# shellcheck shell=sh
# A project that takes cport in as a folder gets the same target, and nothing but the library.
rm -rf "$WORK/subdirectory"
"$CMAKE" -S "$SOURCE/consumer" -B "$WORK/subdirectory" -G Ninja \
    -DCMAKE_C_COMPILER="$CC" -Dcport_SOURCE="$SOURCE/../.."
"$CMAKE" --build "$WORK/subdirectory"
"$WORK/subdirectory/consumer" "$VERSION"
"$WORK/subdirectory/consumer_workers"
for extra in server tools examples tests; do
    test ! -d "$WORK/subdirectory/cport/$extra"
done
