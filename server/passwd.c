#include "passwd.h"

#include "os.h"
#include "users.h"

#include <stdio.h>
#include <string.h>

#define SECRET_BYTES 1024u

struct request {
    bool remove;
    enum role role;
    enum password_cost cost;
    const char *file;
    const char *name;
};

static int usage(void)
{
    fputs("usage: cport-server passwd [--admin] [--cost least|usual|high] FILE NAME\n"
          "       cport-server passwd --delete FILE NAME\n"
          "\n"
          "Reads a password from standard input and adds the user NAME to FILE, or replaces it.\n"
          "\n"
          "  --admin    the user may kick others\n"
          "  --cost     what a login costs: usual takes 64 MiB, high 256 MiB; least is for tests\n"
          "  --delete   take the user out\n",
        stderr);
    return 2;
}

static bool cost_parse(const char *text, enum password_cost *ret_cost)
{
    static const char *const names[] = {"least", "usual", "high"};
    for (unsigned i = 0; text && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_cost = (enum password_cost)i;
            return true;
        }
    }
    return false;
}

static bool request_parse(int argc, char *const *argv, struct request *ret_request)
{
    struct request request = {.role = ROLE_USER, .cost = PASSWORD_COST_USUAL};
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--admin") == 0)
            request.role = ROLE_ADMIN;
        else if (strcmp(argv[at], "--delete") == 0)
            request.remove = true;
        else if (strcmp(argv[at], "--cost") == 0 && at + 1 < argc &&
                 cost_parse(argv[at + 1], &request.cost))
            at++;
        else
            return false;
    }
    if (argc - at != 2)
        return false;
    request.file = argv[at];
    request.name = argv[at + 1];
    *ret_request = request;
    return true;
}

static bool secret_hash(const struct request *request, struct user *user)
{
    char secret[SECRET_BYTES], md5_text[MD5_HEX_BYTES + 1];
    bool done = false;
    if (!sys_secret_read("Password: ", secret, sizeof(secret)))
        fputs("cport-server: no password on standard input, or a line that is too long\n", stderr);
    else if (secret[0] == '\0')
        fputs("cport-server: an empty password is no password\n", stderr);
    else
        done = true;
    if (done) {
        md5_hex((struct bytes){(const uint8_t *)secret, strlen(secret)}, md5_text);
        done = password_hash(md5_text, request->cost, user->record);
        if (!done)
            fputs("cport-server: no memory for the hash; try --cost usual\n", stderr);
        password_wipe(md5_text, sizeof(md5_text));
    }
    password_wipe(secret, sizeof(secret));
    return done;
}

int passwd_run(int argc, char *const *argv)
{
    struct request request;
    if (!request_parse(argc, argv, &request))
        return usage();
    struct bytes name = {(const uint8_t *)request.name, strlen(request.name)};
    if (!user_name_is_sound(name)) {
        fputs(
            "cport-server: a user's name is 1 to 64 bytes of UTF-8 without control characters, ':' "
            "and '=', and begins with no '#'\n",
            stderr);
        return 2;
    }
    if (!password_prepare()) {
        fputs("cport-server: the system gives no random numbers\n", stderr);
        return 1;
    }

    struct user user = {.role = request.remove ? ROLE_NONE : request.role};
    memcpy(user.name, name.data, name.len);
    char error[USERS_ERROR_BYTES];
    if (!request.remove && !secret_hash(&request, &user))
        return 1;
    if (!users_edit(request.file, &user, error)) {
        fprintf(stderr, "cport-server: %s\n", error);
        return 1;
    }
    return 0;
}
