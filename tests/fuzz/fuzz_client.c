/* What a server answers to cport-cli, as it shows it. Byte 0 chooses the command and the form; the rest are the answer's bytes. What
 * comes out is UTF-8 without control characters, whatever went in. */
#include "cport-cli-family.h"
#include "cport-cli-list.h"
#include "cport-cli-message.h"
#include "fields.h"

#include <stdio.h>
#include <stdlib.h>

#define CUTS_MAX 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_within(struct bytes inner, struct bytes run)
{
    require(inner.data >= run.data && inner.len <= (size_t)(run.data + run.len - inner.data));
}

static void show_reply(struct bytes run, unsigned choice)
{
    struct cli_reply reply;
    size_t len, need;
    bool json = choice & 1, first = true;
    enum frame_result result = cli_reply_parse(run, &reply, &len);
    /* A longer run never changes a verdict that a shorter one has got. */
    for (size_t cut = 0; cut < run.len && cut < CUTS_MAX; cut++) {
        struct cli_reply part;
        enum frame_result early = cli_reply_parse((struct bytes){run.data, cut}, &part, &need);
        require(early == FRAME_PARTIAL ? need > cut : early == result);
    }
    if (result != FRAME_OK)
        return;
    require(len <= run.len);
    require_within(reply.command.text, run);
    require_within(reply.data, run);
    switch (choice >> 1 & 3) {
    case 0:
        list_items(&reply.command, false, json, &first);
        break;
    case 1:
        list_items(&reply.command, true, json, &first);
        break;
    case 2:
        list_clients(&reply.command, json);
        break;
    default:
        list_stats(&reply.command, json);
        break;
    }
}

static void show_push(struct bytes run)
{
    struct message message;
    struct bytes text;
    size_t need;
    if (message_parse(run, 4096, &message, &need) != FRAME_OK ||
        !cli_push_parse(&message, "news", &text))
        return;
    require_within(text, message.payload);
    cli_push_json(message.id, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = NULL;
    size_t len = 0;
    if (size == 0)
        return 0;
    FILE *screen = stdout;
    stdout = open_memstream(&text, &len);
    require(stdout != NULL);
    struct bytes run = {data + 1, size - 1};
    if (data[0] & 8)
        show_push(run);
    else
        show_reply(run, data[0]);
    require(fclose(stdout) == 0);
    stdout = screen;
    require(utf8_check((struct bytes){(const uint8_t *)text, len}));
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        require((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t');
        require(c != 0xC2 || (unsigned char)text[i + 1] >= 0xA0); /* the memory ends with a 0 */
    }
    free(text);
    return 0;
}
