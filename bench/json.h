/*
 * Ownership: a writer is a plain value around the caller's stream. A tree made by json_parse owns everything in it and is
 * given back with json_free of its root.
 * Threading: one thread at a time.
 *
 * Why not a library: the benchmark writes and reads one shape of its own and has to be cross-built for Windows, where no
 * distribution packages a JSON library; these two small files are less than the build of one.
 */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 32

struct json_writer {
    FILE *out;
    unsigned depth;
    bool has_item[JSON_DEPTH_MAX + 1];
};

/* In an array the key is NULL. Open with '{' or '[' and close with the same. */
void json_write_start(struct json_writer *w, FILE *out);
void json_write_open(struct json_writer *w, const char *key, char bracket);
void json_write_close(struct json_writer *w, char bracket);
void json_write_string(struct json_writer *w, const char *key, const char *text);
void json_write_number(struct json_writer *w, const char *key, double number);
void json_write_bool(struct json_writer *w, const char *key, bool value);

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    char *key;          /* of a member of an object, else NULL */
    char *text;         /* JSON_STRING, UTF-8 */
    double number;      /* JSON_NUMBER; 1 or 0 for JSON_BOOL */
    struct json *child; /* first item of an array or an object */
    struct json *next;
};

/* NULL when the text is not JSON (RFC 8259), is nested deeper than JSON_DEPTH_MAX, or memory is short. */
struct json *json_parse(const char *text, size_t length);
void json_free(struct json *root);

/* Lookups accept NULL and a value of another kind, and answer NULL, "" or 0: a reader asks first and judges once. */
const struct json *json_get(const struct json *object, const char *key);
const char *json_get_string(const struct json *object, const char *key);
double json_get_number(const struct json *object, const char *key);

#endif
