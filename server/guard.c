#include "guard.h"

#include "hash.h"
#include "os.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS    64u
#define SETS      32u
#define WAYS      8u
#define SECOND_NS INT64_C(1000000000)

struct entry {
    struct guard_address address;
    bool used;
    uint32_t offences;
    int64_t window_ns; /* of the first of them */
    int64_t seen_ns;
    int64_t due_ns;   /* when its next connection would come, if all came evenly */
    int64_t until_ns; /* the ban's end */
};

struct shard {
    struct sys_lock *lock;
    struct guard_rules rules;
    struct entry sets[SETS][WAYS];
};

struct guard {
    atomic_bool active; /* some rule is on */
    struct shard shards[SHARDS];
};

struct guard *guard_open(void)
{
    struct guard *guard = calloc(1, sizeof(*guard));
    if (!guard)
        return NULL;
    bool done = true;
    for (unsigned i = 0; i < SHARDS; i++) {
        guard->shards[i].lock = sys_lock_new();
        done = done && guard->shards[i].lock;
    }
    if (done)
        return guard;
    guard_close(guard);
    return NULL;
}

void guard_close(struct guard *guard)
{
    if (!guard)
        return;
    for (unsigned i = 0; i < SHARDS; i++)
        sys_lock_free(guard->shards[i].lock);
    free(guard);
}

void guard_rules_set(struct guard *guard, const struct guard_rules *rules)
{
    bool active = rules->rate > 0 || rules->ban_after > 0;
    /* Where no rule was or is on there is nothing to forget: the pages stay untouched. */
    if (!active && !atomic_load_explicit(&guard->active, memory_order_relaxed))
        return;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &guard->shards[i];
        sys_lock_take(shard->lock);
        shard->rules = *rules;
        memset(shard->sets, 0, sizeof(shard->sets));
        sys_lock_give(shard->lock);
    }
    /* relaxed: the rules themselves are under the locks */
    atomic_store_explicit(&guard->active, active, memory_order_relaxed);
}

struct guard_address guard_address_of(const struct sockaddr_storage *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    struct guard_address key = {{0}};
    uint8_t bytes[16];
    unsigned len = sys_address_bytes(address, bytes);
    if (len == 4) {
        memcpy(key.bytes, mapped, sizeof(mapped));
        memcpy(key.bytes + sizeof(mapped), bytes, 4);
    } else if (len == 16) {
        bool is_ipv4 = memcmp(bytes, mapped, sizeof(mapped)) == 0;
        memcpy(key.bytes, bytes, is_ipv4 ? 16 : 8);
    }
    return key;
}

/* ---- The table; with the shard's lock ---- */

static bool is_banned(const struct entry *entry, int64_t now_ns)
{
    return entry->until_ns > now_ns;
}

/* Whether a is the one to be forgotten rather than b. */
static bool matters_less(const struct entry *a, const struct entry *b, int64_t now_ns)
{
    if (a->used != b->used)
        return !a->used;
    bool a_banned = is_banned(a, now_ns), b_banned = is_banned(b, now_ns);
    if (a_banned != b_banned)
        return !a_banned;
    return a_banned ? a->until_ns < b->until_ns : a->seen_ns < b->seen_ns;
}

static struct entry *entry_of(
    struct entry set[WAYS], const struct guard_address *address, int64_t now_ns)
{
    struct entry *least = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        struct entry *entry = &set[i];
        if (entry->used && memcmp(&entry->address, address, sizeof(*address)) == 0) {
            entry->seen_ns = now_ns;
            return entry;
        }
        if (matters_less(entry, least, now_ns))
            least = entry;
    }
    *least = (struct entry){.address = *address, .used = true, .seen_ns = now_ns};
    return least;
}

/* Takes the shard's lock. */
static struct shard *shard_take(struct guard *guard, const struct guard_address *address,
    int64_t now_ns, struct entry **ret_entry)
{
    uint64_t hash = hash_bytes((struct bytes){address->bytes, sizeof(address->bytes)});
    struct shard *shard = &guard->shards[hash % SHARDS];
    sys_lock_take(shard->lock);
    *ret_entry = entry_of(shard->sets[hash / SHARDS % SETS], address, now_ns);
    return shard;
}

/* ---- The rules ---- */

/* An address may be ahead of an even flow by one second. */
static bool passes(struct entry *entry, int64_t rate, int64_t now_ns)
{
    if (rate <= 0)
        return true;
    int64_t due_ns = entry->due_ns > now_ns ? entry->due_ns : now_ns;
    due_ns += SECOND_NS / rate;
    if (due_ns > now_ns + SECOND_NS)
        return false;
    entry->due_ns = due_ns;
    return true;
}

enum guard_verdict guard_enter(
    struct guard *guard, const struct guard_address *address, int64_t now_ns)
{
    struct entry *entry;
    if (!atomic_load_explicit(&guard->active, memory_order_relaxed))
        return GUARD_GOOD;
    struct shard *shard = shard_take(guard, address, now_ns, &entry);
    enum guard_verdict verdict = GUARD_BANNED;
    if (!is_banned(entry, now_ns))
        verdict = passes(entry, shard->rules.rate, now_ns) ? GUARD_GOOD : GUARD_TOO_OFTEN;
    sys_lock_give(shard->lock);
    return verdict;
}

static enum guard_sentence judge(
    struct entry *entry, const struct guard_rules *rules, int64_t now_ns)
{
    if (rules->ban_after <= 0)
        return GUARD_NOTED;
    if (is_banned(entry, now_ns))
        return GUARD_HAS_BANNED;
    if (entry->offences == 0 || now_ns - entry->window_ns >= GUARD_WINDOW_NS) {
        entry->window_ns = now_ns;
        entry->offences = 0;
    }
    if (++entry->offences < rules->ban_after)
        return GUARD_NOTED;
    entry->offences = 0;
    entry->until_ns = now_ns + rules->ban_ns;
    return GUARD_BANS;
}

enum guard_sentence guard_offence(
    struct guard *guard, const struct guard_address *address, int64_t now_ns)
{
    struct entry *entry;
    if (!atomic_load_explicit(&guard->active, memory_order_relaxed))
        return GUARD_NOTED;
    struct shard *shard = shard_take(guard, address, now_ns, &entry);
    enum guard_sentence sentence = judge(entry, &shard->rules, now_ns);
    sys_lock_give(shard->lock);
    return sentence;
}
