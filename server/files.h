/*
 * files: the folder that the server offers, and nothing outside of it. One file per system, os_files_posix.c and
 * os_files_windows.c.
 *
 * A path comes checked (path.h); what is kept here is what only the file system knows: no symbolic link leads out, and only regular
 * files are opened. Linux resolves a whole path beneath the root in one call, so that nobody can exchange a part of it meanwhile;
 * where that call is missing, links are not followed at all. Windows compares the canonical name of what was opened.
 *
 * Ownership: a file ends with file_close. Threading: any; a file on one thread at a time. Blocks: all of it.
 */
#ifndef CPORT_SERVER_FILES_H
#define CPORT_SERVER_FILES_H

#include "path.h"

enum files_result {
    FILES_OK,
    FILES_NONE,    /* it is not there, or a part of the way to it */
    FILES_REFUSED, /* it leads out, or it is not what was asked for: a pipe, a folder, a device */
    FILES_SIZE,    /* longer than a file can be */
    FILES_FAILED   /* the system says no: rights, a full disk, a folder in the way */
};

enum file_mode {
    FILE_READ,  /* what is there */
    FILE_UPDATE /* read and write; made if it is not there */
};

/* Tells files apart, whatever their names. */
struct file_id {
    uint64_t device;
    uint64_t number;
};

struct files;
struct file;

struct files *files_open(const char *root); /* NULL: it is no folder */
void files_close(struct files *files);

enum files_result file_open(
    struct files *files, const struct path *path, enum file_mode mode, struct file **ret_file);
void file_close(struct file *file); /* NULL is fine */
struct file_id file_identity(const struct file *file);
enum files_result file_size(struct file *file, int64_t *ret_size);
enum files_result file_resize(struct file *file, int64_t size);
/* *ret_len is less than len only at the file's end. */
enum files_result file_read(
    struct file *file, void *data, size_t len, int64_t offset, size_t *ret_len);
enum files_result file_write(struct file *file, const void *data, size_t len, int64_t offset);
enum files_result file_sync(struct file *file); /* its bytes, and its name in its folder */

/* Calls visit for each folder, or each regular file, in no order, until it returns false. */
typedef bool files_visit(void *ctx, struct bytes name, int64_t size);
enum files_result files_list(
    struct files *files, const struct path *path, bool folders, files_visit *visit, void *ctx);

enum files_result files_make_folder(
    struct files *files, const struct path *path); /* it may be there */
enum files_result files_delete_folder(
    struct files *files, const struct path *path); /* with all in it; of a link, the link alone */
enum files_result files_delete(struct files *files, const struct path *path); /* a link itself */

#endif
