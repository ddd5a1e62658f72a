/* RemoteStream's files, as standard input and output. */
#include "cport-cli-family.h"
#include "cport-cli-os.h"
#include "cport-cli-output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* A multiple of three: a piece then is whole characters of base64. */
#define PIECE_BYTES ((size_t)3 << 16)
#define PIECE_TEXT  "196608"

static void print_base64(struct bytes data)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < data.len; i += 3) {
        size_t left = data.len - i;
        uint32_t three = (uint32_t)data.data[i] << 16 |
                         (left > 1 ? (uint32_t)data.data[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)data.data[i + 2] : 0);
        putchar(digits[three >> 18]);
        putchar(digits[three >> 12 & 63]);
        putchar(left > 1 ? digits[three >> 6 & 63] : '=');
        putchar(left > 2 ? digits[three & 63] : '=');
    }
}

/* A piece that is shorter than asked for is the last one. */
static int print_pieces(struct cli_session *session, bool json, int64_t *ret_size)
{
    for (;;) {
        struct cli_reply reply;
        int status = cli_ask(session, "Read", CLI_VALUES("Count", PIECE_TEXT), &reply);
        if (status != CLI_OK)
            return status;
        if (reply.data.len > PIECE_BYTES)
            return cli_stranger(session, "it has more bytes than were asked for");
        if (json)
            print_base64(reply.data);
        else
            fwrite(reply.data.data, 1, reply.data.len, stdout);
        *ret_size += (int64_t)reply.data.len;
        status = output_flush();
        if (status != CLI_OK || reply.data.len < PIECE_BYTES)
            return status;
    }
}

int cli_cat(const struct cli_options *options, const char *name)
{
    struct cli_session session = {.about = name};
    struct cli_reply reply;
    int64_t size = 0;
    cli_binary_streams();
    int status = cli_family_open(&session, options, CLI_REMOTE_STREAM);
    if (status == CLI_OK)
        status = cli_ask(&session, "OpenFile", CLI_VALUES("FileName", name, "Mode", "0"), &reply);
    if (status == CLI_OK && options->json) {
        printf("{\"name\": ");
        output_json(output_bytes(name));
        printf(", \"base64\": \"");
    }
    if (status == CLI_OK)
        status = print_pieces(&session, options->json, &size);
    if (status == CLI_OK && options->json)
        printf("\", \"size\": %" PRId64 "}\n", size);
    cli_session_close(&session);
    return status;
}

/* The next piece of standard input; none at its end. */
static int read_piece(uint8_t *piece, size_t *ret_len)
{
    errno = 0;
    *ret_len = fread(piece, 1, PIECE_BYTES, stdin);
    if (!ferror(stdin))
        return CLI_OK;
    output_error("cannot read standard input: %s", strerror(errno));
    return CLI_USAGE;
}

/* Nothing happens to the file before there is something to write, or an end without an error. */
static int put_pieces(
    struct cli_session *session, const char *name, uint8_t *piece, int64_t *ret_size)
{
    struct cli_reply reply;
    size_t len;
    int status = read_piece(piece, &len);
    if (status == CLI_OK)
        status = cli_ask(session, "OpenFile", CLI_VALUES("FileName", name, "Mode", "1"), &reply);
    if (status == CLI_OK)
        status = cli_ask(session, "SetSize", CLI_VALUES("Size", "0"), &reply);
    while (status == CLI_OK && len > 0) {
        status = cli_ask_with(session, "Write", piece, len, &reply);
        *ret_size += (int64_t)len;
        if (status == CLI_OK)
            status = read_piece(piece, &len);
    }
    return status == CLI_OK ? cli_ask(session, "CloseFile", CLI_NO_VALUES, &reply) : status;
}

int cli_put(const struct cli_options *options, const char *name)
{
    struct cli_session session = {.about = name};
    int64_t size = 0;
    uint8_t *piece = malloc(PIECE_BYTES);
    if (!piece)
        return cli_no_memory();
    cli_binary_streams();
    int status = cli_family_open(&session, options, CLI_REMOTE_STREAM);
    if (status == CLI_OK)
        status = put_pieces(&session, name, piece, &size);
    if (status == CLI_OK && options->json) {
        printf("{\"name\": ");
        output_json(output_bytes(name));
        printf(", \"size\": %" PRId64 "}\n", size);
    }
    cli_session_close(&session);
    free(piece);
    return status;
}
