# A static library that shows what its headers declare and nothing else, as the shared one does by its version map: the objects
# are linked into one, and its other names become local. Without this every internal function could clash with a name of the
# program that links the library.
#
# archive_hide(TARGET): after the archive has been made. Where the tools are not GNU's, and under the sanitizers, which register each
# object's variables by name, the archive stays as it is.
function(archive_hide target)
    if(BUILD_SHARED_LIBS OR CPORT_SANITIZE OR NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_OBJCOPY)
        return()
    endif()
    add_custom_command(TARGET ${target} POST_BUILD
        COMMAND "${CMAKE_COMMAND}"
            -D "ARCHIVE=$<TARGET_FILE:${target}>" -D "LD=${CMAKE_LINKER}" -D "OBJCOPY=${CMAKE_OBJCOPY}" -D "AR=${CMAKE_AR}"
            -P "${PROJECT_SOURCE_DIR}/cmake/archive_hide.cmake"
        VERBATIM)
endfunction()
