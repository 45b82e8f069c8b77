/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What registries, token services, credential files and credential programs say. The first byte chooses the reader.
 * What was read is fit for where it goes: headers without control characters, realms that are addresses.
 */
#include <string.h>

#include "base/mem.h"
#include "tests/fuzz/fuzz.h"
#include "verifier/fetch/auth_parse.h"
#include "verifier/fetch/authfile.h"
#include "verifier/fetch/provider.h"

static bool is_visible(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static void read_challenge(struct span bytes)
{
    CLEANUP(challenge_done) struct challenge challenge = {0};
    struct error err = ERROR_INIT;

    if (!challenge_parse(bytes, &challenge, &err)) {
        FUZZ_CHECK(err.reason == REASON_MALFORMED || err.reason == REASON_UNSUPPORTED || err.reason == REASON_LIMIT);
        FUZZ_CHECK(!challenge.realm && !challenge.basic && !challenge.bearer);
        return;
    }
    FUZZ_CHECK(challenge.basic || challenge.bearer);
    FUZZ_CHECK(challenge.bearer == (challenge.realm != NULL));
    if (challenge.realm)
        FUZZ_CHECK(is_visible(challenge.realm) && !strchr(challenge.realm, ' ') &&
                   (strncmp(challenge.realm, "https://", 8) == 0 || strncmp(challenge.realm, "http://", 7) == 0));
}

static void read_token(struct span bytes)
{
    CLEANUP(token_answer_done) struct token_answer answer = {0};
    CLEANUP(mem_freep) char *text = error_body_text(bytes);
    struct error err = ERROR_INIT;

    if (token_parse(bytes, &answer, &err))
        FUZZ_CHECK(is_visible(answer.token) && answer.token[0] != '\0' && answer.expires_in <= 86400);
    else
        FUZZ_CHECK(!answer.token && err.reason != REASON_INTERNAL);
    if (text)
        FUZZ_CHECK(strlen(text) <= 160);
}

static void read_file(struct span bytes)
{
    CLEANUP(authfile_entry_done) struct authfile_entry entry = {0};
    struct error err = ERROR_INIT;

    if (authfile_find(bytes, "file", "index.docker.io", "library/alpine", &entry, &err) && entry.helper)
        FUZZ_CHECK(!strchr(entry.helper, '/') && entry.helper[0] != '.');
}

static void read_programs(struct span bytes)
{
    CLEANUP(fetch_credentials_done) struct fetch_credentials credentials = {0};
    CLEANUP(provider_answer_done) struct provider_answer answer = {0};
    CLEANUP(providers_done) struct providers providers = {0};
    char name[] = "p", version[] = "credentialprovider.kubelet.k8s.io/v1";
    struct provider provider = {.name = name, .api_version = version, .default_cache_s = 60};
    struct error err = ERROR_INIT;
    bool found;

    if (helper_parse(bytes, 0, "helper", &found, &credentials, &err) && credentials.username)
        FUZZ_CHECK(found && !strpbrk(credentials.username, "\r\n"));
    if (provider_parse(&provider, bytes, "ghcr.io/org/app", &answer, &err))
        FUZZ_CHECK(answer.cache_s >= 0);
    if (providers_parse(bytes, "file", &providers, &err))
        for (size_t i = 0; i < providers.count; i++)
            (void)provider_matches(&providers.items[i], "ghcr.io/org/app");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static void (*const readers[])(struct span) = {read_challenge, read_token, read_file, read_programs};

    if (len > 0)
        readers[bytes[0] % ARRAY_LEN(readers)](span_of(bytes + 1, len - 1));
    return 0;
}
