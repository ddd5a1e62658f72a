# shellcheck shell=bash
# The shipped file of options is the one that the server writes.
diff "$SOURCE/packaging/cport-server.ini" <("$BUILD/server/cport-server" --print-config)
