#include "json.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    const char *at;
    const char *end;
    unsigned depth;
};

static struct json *parse_value(struct cursor *c);

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

static bool take(struct cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool take_word(struct cursor *c, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0)
        return false;
    c->at += length;
    return true;
}

static bool parse_hex4(struct cursor *c, uint32_t *ret_code)
{
    if (c->end - c->at < 4)
        return false;
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char h = (unsigned char)*c->at++;
        if (!isxdigit(h))
            return false;
        code = code * 16 + (uint32_t)(isdigit(h) ? h - '0' : tolower(h) - 'a' + 10);
    }
    *ret_code = code;
    return true;
}

/* A surrogate pair is two escapes; the second must follow at once. */
static bool parse_code_point(struct cursor *c, uint32_t *ret_code)
{
    uint32_t code;
    if (!parse_hex4(c, &code) || (code >= 0xdc00 && code < 0xe000))
        return false;
    if (code >= 0xd800 && code < 0xdc00) {
        uint32_t low;
        if (!take_word(c, "\\u") || !parse_hex4(c, &low) || low < 0xdc00 || low >= 0xe000)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *ret_code = code;
    return code != 0; /* our strings end at a zero byte */
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    unsigned tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    *out++ = (char)(lead[tail] | (code >> (6 * tail)));
    while (tail-- > 0)
        *out++ = (char)(0x80 | ((code >> (6 * tail)) & 0x3f));
    return out;
}

static bool parse_escape(struct cursor *c, char **out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";

    if (c->at == c->end)
        return false;
    char letter = *c->at++;
    if (letter == 'u') {
        uint32_t code;
        if (!parse_code_point(c, &code))
            return false;
        *out = put_utf8(*out, code);
        return true;
    }
    const char *found = letter == '\0' ? NULL : strchr(from, letter);
    if (found == NULL)
        return false;
    *(*out)++ = to[found - from];
    return true;
}

static char *parse_string(struct cursor *c)
{
    if (!take(c, '"'))
        return NULL;
    /* No escape is longer decoded than written, so what is left of the text bounds the result. */
    const char *closing = c->at;
    while (closing < c->end && *closing != '"')
        closing += *closing == '\\' ? 2 : 1;
    if (closing >= c->end)
        return NULL;
    char *text = malloc((size_t)(closing - c->at) + 1);
    if (text == NULL)
        return NULL;
    char *out = text;
    while (c->at < closing) {
        unsigned char letter = (unsigned char)*c->at++;
        if (letter == '\\' ? !parse_escape(c, &out) : letter < 0x20) {
            free(text);
            return NULL;
        }
        if (letter != '\\')
            *out++ = (char)letter;
    }
    *out = '\0';
    c->at = closing + 1;
    return text;
}

static bool parse_number(struct cursor *c, double *ret_number)
{
    char digits[64];
    size_t length = 0;
    while (c->at + length < c->end && length < sizeof digits - 1 &&
           (isdigit((unsigned char)c->at[length]) || strchr("+-.eE", c->at[length]) != NULL))
        length++;
    memcpy(digits, c->at, length);
    digits[length] = '\0';
    /* strtod takes more than JSON does: a leading plus or point is not a number here. */
    if (!isdigit((unsigned char)digits[0]) &&
        (digits[0] != '-' || !isdigit((unsigned char)digits[1])))
        return false;
    char *end;
    double number = strtod(digits, &end);
    if (*end != '\0')
        return false;
    c->at += length;
    *ret_number = number;
    return true;
}

static bool parse_items(struct cursor *c, struct json *parent)
{
    char closing = ']';
    if (parent->kind == JSON_OBJECT)
        closing = '}';
    struct json **tail = &parent->child;
    if (take(c, closing))
        return true;
    do {
        char *key = NULL;
        if (parent->kind == JSON_OBJECT) {
            key = parse_string(c);
            if (key == NULL || !take(c, ':')) {
                free(key);
                return false;
            }
        }
        struct json *item = parse_value(c);
        if (item == NULL) {
            free(key);
            return false;
        }
        item->key = key;
        *tail = item;
        tail = &item->next;
    } while (take(c, ','));
    return take(c, closing);
}

static bool parse_into(struct cursor *c, struct json *value)
{
    char first = '\0';
    if (c->at < c->end)
        first = *c->at;
    if (first == '{' || first == '[') {
        value->kind = first == '{' ? JSON_OBJECT : JSON_ARRAY;
        c->at++;
        if (++c->depth > JSON_DEPTH_MAX || !parse_items(c, value))
            return false;
        c->depth--;
        return true;
    }
    if (first == '"') {
        value->kind = JSON_STRING;
        value->text = parse_string(c);
        return value->text != NULL;
    }
    if (first == 't' || first == 'f') {
        value->kind = JSON_BOOL;
        value->number = first == 't';
        return take_word(c, first == 't' ? "true" : "false");
    }
    if (first == 'n')
        return take_word(c, "null");
    value->kind = JSON_NUMBER;
    return parse_number(c, &value->number);
}

static struct json *parse_value(struct cursor *c)
{
    struct json *value = calloc(1, sizeof *value);
    if (value == NULL)
        return NULL;
    skip_blanks(c);
    if (!parse_into(c, value)) {
        json_free(value);
        return NULL;
    }
    return value;
}

struct json *json_parse(const char *text, size_t length)
{
    struct cursor c = {.at = text, .end = text + length};
    struct json *root = parse_value(&c);
    skip_blanks(&c);
    if (root != NULL && c.at != c.end) {
        json_free(root);
        return NULL;
    }
    return root;
}

void json_free(struct json *root)
{
    while (root != NULL) {
        struct json *next = root->next;
        json_free(root->child);
        free(root->key);
        free(root->text);
        free(root);
        root = next;
    }
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    for (const struct json *item = object->child; item != NULL; item = item->next) {
        if (strcmp(item->key, key) == 0)
            return item;
    }
    return NULL;
}

const char *json_get_string(const struct json *object, const char *key)
{
    const struct json *item = json_get(object, key);
    return item != NULL && item->kind == JSON_STRING ? item->text : "";
}

double json_get_number(const struct json *object, const char *key)
{
    const struct json *item = json_get(object, key);
    return item != NULL && (item->kind == JSON_NUMBER || item->kind == JSON_BOOL) ? item->number
                                                                                  : 0;
}
