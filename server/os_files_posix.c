#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 128u /* folders within folders that are deleted */

struct files {
    int fd;
};

struct file {
    int fd;
    int folder_fd; /* where its name is, for file_sync; < 0: it is only read */
    struct file_id id;
};

static enum files_result result_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return FILES_NONE;
    case EXDEV: /* it leads out */
    case ELOOP:
    case EISDIR:
    case ENXIO: /* a pipe that nobody reads */
    case ENAMETOOLONG:
        return FILES_REFUSED;
    case EFBIG:
    case EOVERFLOW:
        return FILES_SIZE;
    default:
        return FILES_FAILED;
    }
}

/* Part by part, without following any link: for kernels, and sandboxes, that know no other way. */
static int open_walking(int root, const char *text, int flags, mode_t mode)
{
    int fd = dup(root);
    while (fd >= 0) {
        size_t len = strcspn(text, "/");
        char part[PATH_PART_BYTES_MAX + 1];
        bool last = text[len] == '\0';
        memcpy(part, text, len);
        part[len] = '\0';
        int next = last ? openat(fd, len > 0 ? part : ".", flags | O_NOFOLLOW, mode)
                        : openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int error = errno;
        close(fd);
        errno = error;
        if (last)
            return next;
        fd = next;
        text += len + 1;
    }
    return -1;
}

/* The result is a descriptor, or < 0 with errno. */
static int open_beneath(const struct files *files, const char *text, int flags, mode_t mode)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    const char *name = text[0] != '\0' ? text : ".";
    for (int attempt = 0; attempt < 100; attempt++) {
        long fd = syscall(SYS_openat2, files->fd, name, &how, sizeof(how));
        /* EAGAIN: somebody renamed a part of the way, and the kernel cannot tell whether it stayed beneath. */
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
            if (fd < 0 && (errno == ENOSYS || errno == EPERM))
                break;
            return (int)fd;
        }
    }
    return open_walking(files->fd, text, flags | O_CLOEXEC, mode);
}

/* The folder that a path's last part is in; *ret_name is that part. */
static int open_folder_of(const struct files *files, const struct path *path, const char **ret_name)
{
    struct path folder = *path;
    char *slash = strrchr(folder.text, '/');
    *ret_name = slash ? path->text + (slash - folder.text) + 1 : path->text;
    if (slash)
        *slash = '\0';
    else
        folder.text[0] = '\0';
    return open_beneath(files, folder.text, O_RDONLY | O_DIRECTORY, 0);
}

struct files *files_open(const char *root)
{
    struct files *files = malloc(sizeof(*files));
    if (!files)
        return NULL;
    files->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->fd >= 0)
        return files;
    free(files);
    return NULL;
}

void files_close(struct files *files)
{
    if (!files)
        return;
    close(files->fd);
    free(files);
}

/* ---- One file ---- */

enum files_result file_open(
    struct files *files, const struct path *path, enum file_mode mode, struct file **ret_file)
{
    if (path->len == 0)
        return FILES_REFUSED;
    /* O_NONBLOCK: opening a pipe must not wait for its other end. It means nothing to regular files. */
    int flags = O_NONBLOCK | O_NOCTTY | (mode == FILE_READ ? O_RDONLY : O_RDWR | O_CREAT);
    struct file *file = calloc(1, sizeof(*file));
    if (!file)
        return FILES_FAILED;
    const char *name;
    file->folder_fd = mode == FILE_UPDATE ? open_folder_of(files, path, &name) : -1;
    file->fd = open_beneath(files, path->text, flags, 0644);
    enum files_result result = file->fd < 0 ? result_of(errno) : FILES_OK;

    struct stat status;
    if (result == FILES_OK && (fstat(file->fd, &status) != 0 || !S_ISREG(status.st_mode)))
        result = FILES_REFUSED;
    if (result != FILES_OK) {
        file_close(file);
        return result;
    }
    file->id = (struct file_id){.device = status.st_dev, .number = status.st_ino};
    *ret_file = file;
    return FILES_OK;
}

void file_close(struct file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    if (file->folder_fd >= 0)
        close(file->folder_fd);
    free(file);
}

struct file_id file_identity(const struct file *file)
{
    return file->id;
}

enum files_result file_size(struct file *file, int64_t *ret_size)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return result_of(errno);
    *ret_size = status.st_size;
    return FILES_OK;
}

enum files_result file_resize(struct file *file, int64_t size)
{
    if (ftruncate(file->fd, size) == 0)
        return FILES_OK;
    return errno == EINVAL ? FILES_SIZE : result_of(errno);
}

enum files_result file_read(
    struct file *file, void *data, size_t len, int64_t offset, size_t *ret_len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t got = pread(file->fd, (char *)data + done, len - done, offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return result_of(errno);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_len = done;
    return FILES_OK;
}

enum files_result file_write(struct file *file, const void *data, size_t len, int64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t put =
            pwrite(file->fd, (const char *)data + done, len - done, offset + (int64_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno == EINVAL ? FILES_SIZE : result_of(errno);
        done += (size_t)put;
    }
    return FILES_OK;
}

enum files_result file_sync(struct file *file)
{
    if (fsync(file->fd) != 0)
        return FILES_FAILED;
    return file->folder_fd < 0 || fsync(file->folder_fd) == 0 ? FILES_OK : FILES_FAILED;
}

/* ---- Folders ---- */

/* The entries of a folder, but for itself and the one above. The descriptor is the walk's; closedir ends it. */
static DIR *walk_begin(int fd)
{
    DIR *folder = fdopendir(fd);
    if (!folder)
        close(fd);
    return folder;
}

static const struct dirent *walk_next(DIR *folder)
{
    const struct dirent *entry;
    do
        entry = readdir(folder);
    while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry;
}

enum files_result files_list(
    struct files *files, const struct path *path, bool folders, files_visit *visit, void *ctx)
{
    int fd = open_beneath(files, path->text, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return result_of(errno);
    DIR *folder = walk_begin(fd);
    if (!folder)
        return FILES_FAILED;
    const struct dirent *entry;
    bool on = true;
    while (on && (entry = walk_next(folder)) != NULL) {
        struct stat status;
        /* A link is neither: what it leads to may be outside. */
        if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !(folders ? S_ISDIR(status.st_mode) : S_ISREG(status.st_mode)))
            continue;
        struct bytes name = {(const uint8_t *)entry->d_name, strlen(entry->d_name)};
        on = visit(ctx, name, status.st_size);
    }
    closedir(folder);
    return on ? FILES_OK : FILES_FAILED;
}

enum files_result files_make_folder(struct files *files, const struct path *path)
{
    const char *name;
    if (path->len == 0)
        return FILES_OK;
    int folder = open_folder_of(files, path, &name);
    if (folder < 0)
        return result_of(errno);
    int error = mkdirat(folder, name, 0755) == 0 ? 0 : errno;
    close(folder);
    if (error != EEXIST)
        return error == 0 ? FILES_OK : FILES_FAILED;
    /* It is a success if it is a folder. */
    int fd = open_beneath(files, path->text, O_PATH | O_DIRECTORY, 0);
    if (fd < 0)
        return FILES_FAILED;
    close(fd);
    return FILES_OK;
}

/* Everything in the folder, which it closes. A link is deleted and not followed, wherever it lies. */
static bool empty(int fd, unsigned depth)
{
    DIR *folder = walk_begin(fd);
    if (!folder)
        return false;
    const struct dirent *entry;
    bool done = depth < DEPTH_MAX;
    while (done && (entry = walk_next(folder)) != NULL) {
        const char *name = entry->d_name;
        if (unlinkat(fd, name, 0) == 0)
            continue;
        int inner = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        done = inner >= 0 && empty(inner, depth + 1) && unlinkat(fd, name, AT_REMOVEDIR) == 0;
    }
    closedir(folder);
    return done;
}

enum files_result files_delete_folder(struct files *files, const struct path *path)
{
    const char *name;
    if (path->len == 0)
        return FILES_REFUSED;
    int folder = open_folder_of(files, path, &name);
    if (folder < 0)
        return result_of(errno);

    enum files_result result = FILES_FAILED;
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        result = result_of(errno);
    } else if (S_ISLNK(status.st_mode)) {
        result = unlinkat(folder, name, 0) == 0 ? FILES_OK : FILES_FAILED;
    } else if (!S_ISDIR(status.st_mode)) {
        result = FILES_NONE;
    } else {
        int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && empty(fd, 0) && unlinkat(folder, name, AT_REMOVEDIR) == 0)
            result = FILES_OK;
    }
    close(folder);
    return result;
}

enum files_result files_delete(struct files *files, const struct path *path)
{
    const char *name;
    if (path->len == 0)
        return FILES_REFUSED;
    int folder = open_folder_of(files, path, &name);
    if (folder < 0)
        return result_of(errno);
    int error = unlinkat(folder, name, 0) == 0 ? 0 : errno;
    close(folder);
    return error == 0 ? FILES_OK : error == ENOENT ? FILES_NONE : FILES_FAILED;
}
