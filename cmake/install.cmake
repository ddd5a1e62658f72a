# What `cmake --install` puts in place, and how others find it: find_package(cport) and pkg-config.
include(CMakePackageConfigHelpers)

set(cport_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/cport")

install(TARGETS cport EXPORT cport
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/cport" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    PATTERN workers.h EXCLUDE) # below
install(EXPORT cport NAMESPACE cport:: FILE cport-targets.cmake DESTINATION ${cport_cmake_dir})

configure_package_config_file(packaging/cport-config.cmake.in cport-config.cmake
    INSTALL_DESTINATION ${cport_cmake_dir})
# Before 1.0 a minor release may change the interface.
write_basic_package_version_file(cport-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/cport-config.cmake" "${PROJECT_BINARY_DIR}/cport-config-version.cmake"
    DESTINATION ${cport_cmake_dir})

# A static library's users link what it needs; a shared one brings it along.
set(cport_pc_cflags "")
set(cport_pc_requires "")
set(cport_pc_libs "-L\${libdir} -lcport")
if(CPORT_WITH_IO_URING)
    set(cport_pc_requires "liburing")
endif()
if(WIN32)
    set(system_libs "-lws2_32")
else()
    set(system_libs "${CMAKE_THREAD_LIBS_INIT}")
endif()
if(BUILD_SHARED_LIBS)
    set(cport_pc_cflags " -DCPORT_SHARED")
    set(cport_pc_private ".private")
    set(cport_pc_libs "Libs: ${cport_pc_libs}\nLibs.private: ${system_libs}")
else()
    set(cport_pc_private "")
    set(cport_pc_libs "Libs: ${cport_pc_libs} ${system_libs}")
endif()
cmake_path(APPEND cport_pc_libdir "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND cport_pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
configure_file(packaging/cport.pc.in cport.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/cport.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The component "workers": only who asks for it needs hwloc.
if(CPORT_WORKERS)
    install(TARGETS cport_workers EXPORT cport-workers
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES "${PROJECT_SOURCE_DIR}/include/cport/workers.h"
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cport)
    install(EXPORT cport-workers NAMESPACE cport:: FILE cport-workers-targets.cmake
        DESTINATION ${cport_cmake_dir})
    configure_file(packaging/cport-workers.pc.in cport-workers.pc @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/cport-workers.pc"
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
