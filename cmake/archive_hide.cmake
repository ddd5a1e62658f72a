# Run by archive_hide: ARCHIVE is replaced by one of a single object whose only global names begin with cport_.
set(object "${ARCHIVE}.o")
execute_process(COMMAND "${LD}" -r -o "${object}" --whole-archive "${ARCHIVE}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${OBJCOPY}" --wildcard "--keep-global-symbol=cport_*" "${object}" COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE "${ARCHIVE}")
execute_process(COMMAND "${AR}" rcs "${ARCHIVE}" "${object}" COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE "${object}")
