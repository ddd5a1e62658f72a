/*
 * path: names that clients send, taken apart and refused alike on every system, before any system sees them.
 *
 * A path is relative to the root that the server offers, its parts joined by '/'. What is refused: absolute paths, drive
 * letters, parts that are only dots and spaces (".." and what some system takes for it), NUL, CR, LF and '=', the device
 * names of Windows, parts longer than 255 bytes. What a path leads to, over symbolic links above all, is the file
 * system's matter: see os_files.h.
 *
 * Ownership: the caller's, by value. Threading: any.
 */
#ifndef CPORT_SERVER_PATH_H
#define CPORT_SERVER_PATH_H

#include "bytes.h"

#include <stdbool.h>

#define PATH_BYTES_MAX      1024u
#define PATH_PART_BYTES_MAX 255u

struct path {
    size_t len; /* 0: the root itself */
    char text[PATH_BYTES_MAX];
};

/* A DirName, a ParentDir or the whole path of a RemoteStream: '/' and '\' divide it, and one of them may end it. False:
 * refused, and *ret_path is not a path. */
bool path_parse(struct bytes name, struct path *ret_path);

/* One more part, in which nothing divides: a FileName, an Item. */
bool path_append(struct path *path, struct bytes part);

/* True: a list may name it. Not so what no command can carry: '=', CR, LF. */
bool path_is_listable(struct bytes part);

#endif
