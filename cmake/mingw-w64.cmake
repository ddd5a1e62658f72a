# Cross-build for 64-bit Windows; tests run under Wine. tools/mingw/setup brings what this needs.
# CPORT_MINGW_PREFIX holds what was cross-built: hwloc, and CMocka for the tests.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

# The same place that tools/mingw/env.sh names.
if(NOT CPORT_MINGW_PREFIX)
    if(DEFINED ENV{CPORT_CACHE})
        set(CPORT_MINGW_PREFIX "$ENV{CPORT_CACHE}/mingw/prefix")
    else()
        cmake_path(SET CPORT_MINGW_PREFIX NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../.cache/mingw/prefix")
    endif()
endif()

set(CMAKE_FIND_ROOT_PATH "${CPORT_MINGW_PREFIX}" /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} "${CPORT_MINGW_PREFIX}/lib/pkgconfig") # and nothing of the build machine's
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CPORT_MINGW_PREFIX)

# C11's printf formats instead of the old C runtime's; programs that need no library of the compiler beside them.
set(CMAKE_C_FLAGS_INIT "-D__USE_MINGW_ANSI_STDIO=1")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-static-libgcc")

cmake_path(SET cport_run_wine NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../tools/mingw/run-wine")
set(CMAKE_CROSSCOMPILING_EMULATOR "${cport_run_wine}")
