/*
 * kinds: what the connections of the crowd talk about. talk.c: Message and Throughput; transfer.c: files; chaos.c: nothing that a
 * server likes to hear.
 */
#ifndef CPORT_TESTS_SOAK_KINDS_H
#define CPORT_TESTS_SOAK_KINDS_H

#include "crowd.h"

extern const struct kind kind_echo, kind_throughput, kind_subscriber, kind_publisher;
extern const struct kind kind_busy_publisher, kind_log;
extern const struct kind kind_downloader, kind_uploader;
extern const struct kind kind_silent, kind_malformed, kind_slow_log, kind_slow_subscriber;

/* Where told[] of the crowd counts them. */
enum { TOLD_SILENT, TOLD_MALFORMED, TOLD_SLOW_LOG, TOLD_SLOW_SUBSCRIBER };

/* Topic 0 has long pushes, and those who do not read them. */
#define TOPICS     64u
#define TOPIC_BUSY 0u

/* ---- Words of both protocols ---- */

void talk_message(struct guest *guest, uint8_t type, uint8_t flags, uint16_t code, uint32_t id,
    const void *payload, size_t len);
void talk_packet(struct guest *guest, const char *text, const void *data, size_t len);
void talk_login(struct guest *guest); /* SOAK_USER, whose password is the name */
size_t topic_name(unsigned topic, char name[8]);

/* The front packet of a run: its text, terminated, and its data. 0: it is not all there; a fault is one already. */
size_t hear_packet(
    struct guest *guest, struct bytes run, char *text, size_t size, struct bytes *ret_data);

#define SOAK_USER   "soak"

/* The files that downloaders find in the root; those of the crowd's making are beside them. */
#define SHELF_FILES 4u
size_t shelf_len(unsigned i);
bool shelf_fill(const char *root); /* false: it cannot be written */

#endif
