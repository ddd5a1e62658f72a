/* The resolver of names that end in ".cts". */
#include "names.h"

#include "cts.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

static cts_mutex lock = CTS_MUTEX_INIT;
static cts_cond changed = CTS_COND_INIT;
static bool holding;
static unsigned held, asked;

void names_hold(void)
{
    cts_lock(&lock);
    holding = true;
    cts_unlock(&lock);
}

void names_release(void)
{
    cts_lock(&lock);
    holding = false;
    cts_cond_signal(&changed);
    cts_unlock(&lock);
}

static bool are_held(void *arg)
{
    cts_lock(&lock);
    bool enough = held >= *(const unsigned *)arg;
    cts_unlock(&lock);
    return enough;
}

void names_until_held(unsigned n)
{
    cts_until(are_held, &n, "lookups that are held");
}

unsigned names_asked(void)
{
    cts_lock(&lock);
    unsigned n = asked;
    cts_unlock(&lock);
    return n;
}

static void count_and_hold(bool hold)
{
    cts_lock(&lock);
    asked++;
    held += hold && holding;
    if (hold && holding) {
        while (holding)
            cts_cond_wait(&changed, &lock, CTS_PATIENCE_NS);
        held--;
    }
    cts_unlock(&lock);
}

typedef int resolver(const char *restrict host, const char *restrict service,
    const struct addrinfo *restrict hints, struct addrinfo **restrict ret_info);

static resolver *system_resolver(void)
{
    static _Atomic(resolver *) found;
    if (!found) {
        void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
        resolver *function;
        CHECK(symbol != NULL);
        memcpy(&function, &symbol, sizeof function);
        found = function;
    }
    return found;
}

static int error_named(const char *name)
{
    static const struct {
        const char *name;
        int error;
    } errors[] = {
        {"none", EAI_NONAME}, {"again", EAI_AGAIN}, {"fail", EAI_FAIL}, {"memory", EAI_MEMORY}};
    for (size_t i = 0; i < CTS_COUNT_OF(errors); i++)
        if (strcmp(errors[i].name, name) == 0)
            return errors[i].error;
    return 0;
}

/* Each address by itself, in one chain: the C library's freeaddrinfo takes those apart one by one. */
static int resolve_list(
    char *list, const char *service, const struct addrinfo *hints, struct addrinfo **ret_info)
{
    struct addrinfo **end = ret_info;
    struct addrinfo numeric = *hints;
    char *next;
    numeric.ai_flags |= AI_NUMERICHOST;
    *ret_info = NULL;
    for (char *address = strtok_r(list, ",", &next); address != NULL;
         address = strtok_r(NULL, ",", &next)) {
        int error = system_resolver()(address, service, &numeric, end);
        if (error == EAI_ADDRFAMILY || error == EAI_NONAME) {
            *end = NULL;
            continue; /* not of the family asked for */
        }
        CHECK_EQ(error, 0);
        end = &(*end)->ai_next;
    }
    return *ret_info != NULL ? 0 : EAI_NONAME;
}

int getaddrinfo(const char *restrict host, const char *restrict service,
    const struct addrinfo *restrict hints, struct addrinfo **restrict ret_info)
{
    static const char ending[] = ".cts", prefix[] = "held.";
    size_t length = strlen(host);
    if (length < strlen(ending) || strcmp(host + length - strlen(ending), ending) != 0)
        return system_resolver()(host, service, hints, ret_info);

    char *name = strdup(host);
    CHECK(name != NULL);
    name[length - strlen(ending)] = '\0';
    bool hold = strncmp(name, prefix, strlen(prefix)) == 0;
    count_and_hold(hold);
    char *rest = hold ? name + strlen(prefix) : name;
    int error = error_named(rest);
    if (!error)
        error = resolve_list(rest, service, hints, ret_info);
    free(name);
    return error;
}
