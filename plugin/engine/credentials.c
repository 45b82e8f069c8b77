/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/credentials.h"

#include <string.h>

#include "base/mem.h"
#include "verifier/ref.h"

/* What came with the request is for the registry of its image and for no other. */
static bool from_request(const struct request *request, const char *host, struct fetch_credentials *ret, bool *ret_found,
                         struct error *err)
{
    CLEANUP(ref_done) struct ref ref = {0};
    struct fetch_credentials own = {
        .username = request->username, .password = request->password, .identity_token = request->identity_token};

    *ret_found = false;
    if (!request->username && !request->password && !request->identity_token)
        return true;
    if (!ref_parse(span_str(request->reference), &ref, err))
        return false;
    if (strcmp(ref.host, host) != 0)
        return true;
    *ret_found = true;
    return fetch_credentials_copy(&own, ret, err);
}

bool credentials_find(const char *root, const struct settings *settings, const struct request *request, const char *host,
                      const char *repository, struct fetch_credentials *ret, struct error *err)
{
    bool found = false;

    (void)root;
    (void)settings;
    (void)repository;
    return from_request(request, host, ret, &found, err);
}
