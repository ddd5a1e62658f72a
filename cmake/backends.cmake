# Which engines are built. A default follows the system; an engine asked for and not to be had is an error, never a
# silent omission.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(cport_on_linux ON)
else()
    set(cport_on_linux OFF)
endif()

option(CPORT_WITH_IO_URING "Build the io_uring backend (Linux)" ${cport_on_linux})
option(CPORT_WITH_EPOLL "Build the epoll backend (Linux)" ${cport_on_linux})
option(CPORT_WITH_IOCP "Build the I/O completion port backend (Windows)" ${WIN32})

if((CPORT_WITH_IO_URING OR CPORT_WITH_EPOLL) AND NOT cport_on_linux)
    message(FATAL_ERROR "io_uring and epoll exist on Linux only")
endif()
if(CPORT_WITH_IOCP AND NOT WIN32)
    message(FATAL_ERROR "I/O completion ports exist on Windows only")
endif()
if(NOT (CPORT_WITH_IO_URING OR CPORT_WITH_EPOLL OR CPORT_WITH_IOCP))
    message(FATAL_ERROR "Every backend is switched off: the library would have no engine")
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
if(CPORT_WITH_IO_URING)
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(liburing REQUIRED IMPORTED_TARGET liburing>=2.3)
endif()
