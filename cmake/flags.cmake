# cport_flags: what every target of this project compiles with. It is linked privately, so none of it reaches a user.
add_library(cport_flags INTERFACE)

target_compile_options(cport_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla
    "$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>"
    $<$<BOOL:${CPORT_WERROR}>:-Werror>)
target_include_directories(cport_flags INTERFACE
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/libcport" "${PROJECT_SOURCE_DIR}/backends")
target_compile_definitions(cport_flags INTERFACE
    $<$<PLATFORM_ID:Linux>:_GNU_SOURCE>
    $<$<PLATFORM_ID:Windows>:_WIN32_WINNT=0x0A00>
    $<$<PLATFORM_ID:Windows>:WIN32_LEAN_AND_MEAN>)

if(CPORT_SANITIZE)
    set(cport_sanitize_flags
        -fsanitize=${CPORT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    # For the whole directory tree: a program that misses them would not link against one that has them.
    add_compile_options(${cport_sanitize_flags})
    add_link_options(${cport_sanitize_flags})
endif()
