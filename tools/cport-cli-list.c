#include "cport-cli-list.h"

#include "cport-cli-output.h"

/* Takes what goes before the separator off the front, and the separator: all that is left if there is none. */
static struct bytes split(struct bytes *rest, uint8_t separator)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    size_t len = at ? (size_t)(at - rest->data) : rest->len;
    struct bytes front = {rest->data, len};
    size_t taken = at ? len + 1 : len;
    *rest = (struct bytes){rest->data + taken, rest->len - taken};
    return front;
}

static bool is_number(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.len > 0 && (text.data[0] != '0' || text.len == 1);
}

/* null and `?` are what no number is. */
static void print_number(struct bytes text, bool json)
{
    if (is_number(text))
        fwrite(text.data, 1, text.len, stdout);
    else
        fputs(json ? "null" : "?", stdout);
}

static void print_item(struct bytes item, bool folders, bool json, bool first)
{
    struct bytes name = folders ? item : split(&item, 1), size = item;
    if (json) {
        printf("%s\n  {\"name\": ", first ? "" : ",");
        output_json(name);
        if (!folders) {
            printf(", \"size\": ");
            print_number(size, true);
        }
        printf(", \"folder\": %s}", folders ? "true" : "false");
        return;
    }
    size_t width = folders ? 0 : is_number(size) ? size.len : 1;
    printf("%*s", width < 15 ? (int)(15 - width) : 0, "");
    if (!folders)
        print_number(size, false);
    printf("  ");
    output_text(stdout, name);
    puts(folders ? "/" : "");
}

void list_items(const struct command *command, bool folders, bool json, bool *first)
{
    struct bytes rest = command->text, item;
    for (; command_next(&rest, "Item", &item); *first = false)
        print_item(item, folders, json, *first);
}

static void print_client(struct bytes item, bool json, bool first)
{
    static const char *const names[] = {
        "local", "remote", "protocol", "user", "connected", "active"};
    if (!json) {
        output_text(stdout, item);
        putchar('\n');
        return;
    }
    printf("%s\n  {", first ? "" : ",");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        printf("%s\"%s\": ", i > 0 ? ", " : "", names[i]);
        output_json(split(&item, '\t'));
    }
    printf("}");
}

void list_clients(const struct command *command, bool json)
{
    struct bytes rest = command->text, item;
    bool first = true;
    fputs(json ? "[" : "", stdout);
    for (; command_next(&rest, "Item", &item); first = false)
        print_client(item, json, first);
    fputs(json ? "\n]\n" : "", stdout);
}

/* The lines behind [Response], Command and Code are the counters. */
void list_stats(const struct command *command, bool json)
{
    struct bytes rest = command->text;
    bool first = true;
    fputs(json ? "{" : "", stdout);
    for (unsigned number = 0; rest.len > 0; number++) {
        struct bytes value = split(&rest, '\n');
        if (value.len > 0 && value.data[value.len - 1] == '\r')
            value.len--;
        struct bytes name = split(&value, '=');
        if (number < 3 || name.len == 0)
            continue;
        if (json) {
            printf("%s\n  ", first ? "" : ",");
            output_json(name);
            printf(": ");
        } else {
            output_text(stdout, name);
            putchar('=');
        }
        print_number(value, json);
        fputs(json ? "" : "\n", stdout);
        first = false;
    }
    fputs(json ? "\n}\n" : "", stdout);
}
