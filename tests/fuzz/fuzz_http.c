/* The head of a monitor's request. Whatever is taken lies within the run, and a run that is cut short says nothing else than that. */
#include "http.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CUTS_MAX 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_visible(struct bytes text, struct bytes run)
{
    require(text.data >= run.data && text.len > 0 &&
            text.len <= (size_t)(run.data + run.len - text.data));
    for (size_t i = 0; i < text.len; i++)
        require(text.data[i] > ' ' && text.data[i] < 0x7F);
}

static enum http_verdict parse(struct bytes run, size_t *ret_len)
{
    struct http_request request = {0};
    enum http_verdict verdict = http_parse(run, &request);
    if (verdict == HTTP_WHOLE) {
        require(request.len <= run.len && request.len <= HTTP_HEAD_BYTES_MAX);
        require(memcmp(run.data + request.len - 4, "\r\n\r\n", 4) == 0);
        require_visible(request.method, run);
        require_visible(request.path, run);
        require(request.path.data[0] == '/' && !memchr(request.path.data, '?', request.path.len));
    }
    *ret_len = request.len;
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len, part_len;
    enum http_verdict verdict = parse((struct bytes){data, size}, &len);
    for (size_t cut = size < CUTS_MAX ? 0 : size - CUTS_MAX; cut < size; cut++) {
        enum http_verdict part = parse((struct bytes){data, cut}, &part_len);
        require(part == HTTP_PARTIAL || (part == verdict && part_len == len));
    }
    return 0;
}
