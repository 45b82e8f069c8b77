/* SPDX-License-Identifier: Apache-2.0 */
/* registries.d: where the image library looks for signatures (crio.md 2.3). */
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "plugin/cli/doctor/containers.h"
#include "plugin/cli/doctor/stores.h"

/* loud: say what does not parse. */
static void load_stores(struct doctor *doctor, struct stores *stores, bool loud)
{
    struct error err = ERROR_INIT;

    if (!stores_load(doctor->cli->root, stores, &err))
        doctor_add(doctor, CHECK_WARN, "containers.registries-d", "where endorsements are looked for is not known",
                   "look at the directory", "%s", err.text);
    for (size_t i = 0; loud && i < stores->broken.count; i++)
        doctor_add(doctor, CHECK_WARN, "containers.registries-d", "the image library may refuse every pull",
                   "correct the file", "%s", stores->broken.items[i]);
}

/* One scope in two files is an error of the library, for every pull. */
void containers_check_registries_d(struct doctor *doctor)
{
    CLEANUP(stores_done) struct stores stores = { 0 };
    char shown[200];

    load_stores(doctor, &stores, true);
    for (size_t i = 0; i < stores.count && !doctor->out_of_memory; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(stores.items[i].scope, stores.items[j].scope) == 0)
                doctor_add(
                    doctor, CHECK_FAIL, "containers.duplicate", "the image library then refuses every pull",
                    "take it out of one of the files", "%s: the scope \"%s\" stands in another file too",
                    stores.items[i].path,
                    text_clean(span_str(stores.items[i].scope[0] != '\0' ? stores.items[i].scope : "default-docker"),
                               shown, sizeof(shown)));
}

/* Is `inner` the same as `outer` or below it? */
static bool is_below(const char *inner, const char *outer)
{
    size_t len = strlen(outer);

    return strncmp(inner, outer, len) == 0 && (inner[len] == '\0' || inner[len] == '/' || inner[len] == ':');
}

static bool leads_to_us(const struct doctor *doctor, const char *lookaside)
{
    char ours[128];

    snprintf(ours, sizeof(ours), "http://%s/v1/", doctor->endorser_listen != NULL ? doctor->endorser_listen : "");
    return lookaside != NULL && strncmp(lookaside, ours, strlen(ours)) == 0;
}

/* The look-aside that counts for a scope of policy.json: of the longest scope that it is in. */
static const struct store *store_of(const struct stores *stores, const char *scope)
{
    const struct store *best = NULL;

    for (size_t i = 0; i < stores->count; i++) {
        const struct store *store = &stores->items[i];

        if (store->lookaside != NULL && (store->scope[0] == '\0' || is_below(scope, store->scope)) &&
            (best == NULL || strlen(store->scope) > strlen(best->scope)))
            best = store;
    }
    return best;
}

static void check_scope(struct doctor *doctor, const struct stores *stores, const char *scope, const char *todo)
{
    const struct store *store = store_of(stores, scope);
    char shown[200], url[200];

    text_clean(span_str(scope), shown, sizeof(shown));
    if (store == NULL || !leads_to_us(doctor, store->lookaside)) {
        doctor_add(doctor, CHECK_FAIL, "containers.lookaside",
                   "the endorsement is looked for elsewhere: every image of the scope is refused", todo,
                   "registries.d leads \"%s\" to %s, not to the endorser", shown,
                   store == NULL ? "no look-aside store" : text_clean(span_str(store->lookaside), url, sizeof(url)));
        return;
    }
    for (size_t i = 0; i < stores->count; i++)
        if (stores->items[i].lookaside != NULL && stores->items[i].scope[0] != '\0' &&
            is_below(stores->items[i].scope, scope) && !leads_to_us(doctor, stores->items[i].lookaside))
            doctor_add(doctor, CHECK_WARN, "containers.lookaside",
                       "the endorsement is looked for elsewhere: images of that scope are refused",
                       "take the scope out, or let it lead to the endorser", "%s leads \"%s\" to %s",
                       stores->items[i].path, text_clean(span_str(stores->items[i].scope), shown, sizeof(shown)),
                       text_clean(span_str(stores->items[i].lookaside), url, sizeof(url)));
}

void containers_check_lookaside(struct doctor *doctor, const struct node *docker, const char *todo)
{
    CLEANUP(stores_done) struct stores stores = { 0 };

    load_stores(doctor, &stores, false);
    for (const struct node *scope = node_is(docker, NODE_MAP) ? docker->child : NULL; scope != NULL;
         scope = scope->next) {
        CLEANUP(mem_freep) char *name = span_dup(scope->name);

        if (name != NULL && name[0] != '\0' && containers_demands_endorsement(scope))
            check_scope(doctor, &stores, name, todo);
    }
}
