# shellcheck shell=bash disable=SC2034
# Sourced by the scripts of this folder: where things are, and how Wine is started.
#
# CPORT_CACHE   folder for what is fetched and built once (default: .cache in the checkout)
# CPORT_WINE    the wine loader to use instead of the system's 64-bit one

mingw_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mingw_cache=${CPORT_CACHE:-$(cd "$mingw_folder/../.." && pwd)/.cache}/mingw
mingw_prefix=$mingw_cache/prefix # what was cross-built for the tests
mingw_target=x86_64-w64-mingw32

# Debian keeps the 64-bit loader and its server out of PATH.
first_executable()
{
    local candidate
    for candidate in "$@"; do
        candidate=$(command -v "$candidate" 2>/dev/null) && { echo "$candidate"; return 0; }
    done
    return 1
}
wine_loader=$(first_executable ${CPORT_WINE:+"$CPORT_WINE"} /usr/lib/wine/wine64 wine64 wine || true)
wine_server=$(first_executable /usr/lib/wine/wineserver64 /usr/lib/wine/wineserver wineserver64 wineserver || true)

# A private world for Wine: its own registry and drives, its own home, no display, no sound, no desktop integration,
# no message that is not ours. Its server is shared by all programs that run in this prefix.
wine_environment()
{
    export WINEPREFIX=$mingw_cache/wine
    export HOME=$mingw_cache/home
    export WINEARCH=win64
    export WINEDEBUG=${WINEDEBUG:--all}
    export WINEDLLOVERRIDES='mscoree,mshtml,winemenubuilder.exe,explorer.exe='
    unset DISPLAY WAYLAND_DISPLAY XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR
}

# Starts the prefix's server unless it runs, to stay until stop-wine; with it, a first program that brings up Wine's
# services. They get no descriptor of ours: whoever waits for the end of our output must not wait for theirs.
wine_start()
{
    (
        exec 9>>"$mingw_cache/wine.lock"
        flock 9
        if "$wine_server" -p 9>&- </dev/null >/dev/null 2>&1; then
            "$wine_loader" wineboot 9>&- </dev/null >/dev/null 2>&1
        fi
    )
}
