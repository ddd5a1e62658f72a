/*
 * A whole session of one protocol: byte 0 chooses it as on the wire, byte 1 the size of the segments, byte 2 who the client is, the
 * rest is what the client sends. Beyond not crashing: the answers are the same in segments as in one piece.
 */
#include "log.h"
#include "session.h"

#include <unistd.h>

#define FRAME_MAX 4096u

/* What the file protocols serve: a folder of this run's own, emptied before each session. */
static char folder[64];
static const char *root;

static bool listed(void *ctx, struct bytes name, int64_t size)
{
    struct path path = {0};
    (void)size;
    if (path_append(&path, name)) {
        (void)files_delete(ctx, &path);
        (void)files_delete_folder(ctx, &path);
    }
    return true;
}

static struct files *folder_empty(void)
{
    struct path all = {0};
    struct files *files = root ? files_open(root) : NULL;
    if (files) {
        (void)files_list(files, &all, false, listed, files);
        (void)files_list(files, &all, true, listed, files);
    }
    return files;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void folder_remove(void)
{
    files_close(folder_empty());
    if (root)
        (void)rmdir(root);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (snprintf(folder, sizeof(folder), "/tmp/cport-fuzz-XXXXXX") > 0)
        root = mkdtemp(folder);
    (void)atexit(folder_remove);
    log_level_set((enum log_level)(LOG_ERROR + 1));
    return password_prepare() ? 0 : 1;
}

/* Feeds the stream in segments; the answers are malloc'ed. */
static struct bytes play(
    const struct proto *proto, struct bytes stream, size_t segment, enum role role)
{
    static struct world world;
    struct session session;
    world_open(&world, FRAME_MAX);
    if (proto->wants_files)
        world.shared.files = folder_empty();
    session_open(&session, &world, proto);
    if (role != ROLE_NONE)
        session_login(&session, "ann", role);
    for (size_t at = 0; at < stream.len && !session.closed; at += segment)
        session_feed(
            &session, stream.data + at, stream.len - at < segment ? stream.len - at : segment);

    struct bytes out = buffer_bytes(&session.out);
    uint8_t *kept = malloc(out.len + 1);
    SESSION_REQUIRE(kept != NULL);
    if (out.len > 0)
        memcpy(kept, out.data, out.len);
    session_close(&session);
    world_close(&world);
    return (struct bytes){kept, out.len};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    const struct proto *proto = proto_by_preface(data[0]);
    if (!proto)
        return 0;
    if (proto->wants_files && !root)
        return 0;
    struct bytes stream = {data + 3, size - 3};
    enum role role = (enum role)(data[2] % 3);
    struct bytes whole = play(proto, stream, stream.len + 1, role);
    struct bytes cut = play(proto, stream, (size_t)data[1] + 1, role);
    SESSION_REQUIRE(whole.len == cut.len && memcmp(whole.data, cut.data, whole.len) == 0);
    free((void *)(uintptr_t)whole.data);
    free((void *)(uintptr_t)cut.data);
    return 0;
}
