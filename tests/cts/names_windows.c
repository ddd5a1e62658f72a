/* Windows resolves names in a library that nothing of ours stands before: no case asks for it there. */
#include "names.h"

#include "cts.h"

static const bool has_resolver = false;

void names_hold(void)
{
    CHECK(has_resolver);
}

void names_release(void)
{
    CHECK(has_resolver);
}

void names_until_held(unsigned n)
{
    CHECK(has_resolver && n > 0);
}

unsigned names_asked(void)
{
    CHECK(has_resolver);
    return 0;
}
