# cport_cmocka: the test library, found the same way on the build machine and in a cross-built prefix.
include_guard(GLOBAL)
find_path(CMOCKA_INCLUDE_DIR cmocka.h REQUIRED)
find_library(CMOCKA_LIBRARY NAMES cmocka cmocka.dll REQUIRED)

add_library(cport_cmocka INTERFACE)
target_include_directories(cport_cmocka SYSTEM INTERFACE "${CMOCKA_INCLUDE_DIR}")
target_link_libraries(cport_cmocka INTERFACE "${CMOCKA_LIBRARY}")
