/* SPDX-License-Identifier: Apache-2.0 */
/* ClusterImagePolicy documents, policy.sigstore.dev/v1alpha1 and v1beta1 (policy.md 1.1): header, metadata, spec,
 * images. */
#include "policy/load.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "policy/glob.h"
#include "policy/load_pullguard.h"

enum { POLICIES_MAX = 1000 * 1000, GLOBS_MAX = 100 * 1000, AUTHORITIES_MAX = 1000, LIST_DEPTH_MAX = 4 };

static const char api_group[] = "policy.sigstore.dev/";

static bool load_document(struct load *load, const struct path *path, const struct node *root, int depth);

/* The kinds people try; each with what to do. */
static bool wrong_kind(struct load *load, const struct path *up, const struct node *kind, const struct node *version)
{
    static const struct {
        const char *kind, *advice;
    } known[] = {
        {"TrustRoot",
         "a TrustRoot object is not read here: put its trusted_root.json into the trust directory under the "
         "name that trustRootRef gives"},
        {"ClusterPolicy", "this is a Kyverno policy; wanted a ClusterImagePolicy of policy.sigstore.dev"},
        {"ImageValidatingPolicy", "this is a Kyverno policy; wanted a ClusterImagePolicy of policy.sigstore.dev"},
        {"ImagePolicy", "this is OpenShift's ImagePolicy; wanted a ClusterImagePolicy of policy.sigstore.dev"},
        {"Secret",
         "keys are not read from Secret objects: put the public key under key.data, or in a file and its name "
         "under key.path"},
    };
    struct path path = {.up = up, .name = "kind"};
    char shown[80];

    (void)version;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (node_str_is(kind, known[i].kind))
            return load_fail(load, &path, kind, "%s", known[i].advice);
    }
    return load_fail(load, &path, kind, "wanted \"ClusterImagePolicy\", found \"%s\"",
                     text_clean(kind->text, shown, sizeof(shown)));
}

static bool check_version(struct load *load, const struct path *up, const struct node *version)
{
    struct path path = {.up = up, .name = "apiVersion"};
    char shown[80];

    if (node_str_is(version, "policy.sigstore.dev/v1alpha1") || node_str_is(version, "policy.sigstore.dev/v1beta1"))
        return true;
    text_clean(version->text, shown, sizeof(shown));
    if (span_starts(version->text, "config.openshift.io/"))
        return load_fail(load, &path, version,
                         "\"%s\" is OpenShift's ClusterImagePolicy, another format; wanted policy.sigstore.dev/v1beta1",
                         shown);
    if (span_starts(version->text, api_group))
        return load_fail(load, &path, version, "version \"%s\" is not known; wanted v1alpha1 or v1beta1",
                         shown + sizeof(api_group) - 1);
    return load_fail(load, &path, version,
                     "wanted \"policy.sigstore.dev/v1beta1\" or \"policy.sigstore.dev/v1alpha1\", "
                     "found \"%s\"",
                     shown);
}

/* What a cluster writes into an object says nothing about images and is passed over; what would narrow it is not. */
static bool load_metadata(struct load *load, const struct path *up, const struct node *node, struct policy *policy)
{
    enum { NAME, NAMESPACE, GENERATE, FIELDS = 14 };
    static const struct field_rule rules[FIELDS] = {
        [NAME] = {"name", NODE_STRING, FIELD_MANDATORY, "each policy needs a name of its own"},
        [NAMESPACE] = {"namespace", FIELD_ANY, FIELD_REFUSED,
                       "a ClusterImagePolicy holds for the whole node and knows no namespaces; take the field out"},
        [GENERATE] = {"generateName", FIELD_ANY, FIELD_REFUSED, "give the policy a name of its own under \"name\""},
        {"labels", FIELD_ANY, FIELD_IGNORED, NULL},
        {"annotations", FIELD_ANY, FIELD_IGNORED, NULL},
        {"creationTimestamp", FIELD_ANY, FIELD_IGNORED, NULL},
        {"deletionTimestamp", FIELD_ANY, FIELD_IGNORED, NULL},
        {"deletionGracePeriodSeconds", FIELD_ANY, FIELD_IGNORED, NULL},
        {"finalizers", FIELD_ANY, FIELD_IGNORED, NULL},
        {"generation", FIELD_ANY, FIELD_IGNORED, NULL},
        {"managedFields", FIELD_ANY, FIELD_IGNORED, NULL},
        {"ownerReferences", FIELD_ANY, FIELD_IGNORED, NULL},
        {"resourceVersion", FIELD_ANY, FIELD_IGNORED, NULL},
        {"uid", FIELD_ANY, FIELD_IGNORED, NULL},
    };
    struct path path = {.up = up, .name = "metadata"}, name_path = {.up = &path, .name = "name"};
    const struct node *fields[FIELDS];
    size_t known;

    if (!fields_read(load, &path, node, rules, FIELDS, fields) ||
        !load_string(load, &name_path, fields[NAME], &policy->name))
        return false;
    known = table_find(&load->set->policy_names, span_str(policy->name));
    if (known != SIZE_MAX) {
        const struct policy *other = &load->set->policies[known];

        return load_fail(load, &name_path, fields[NAME], "the name \"%s\" is taken by the policy at %s:%u",
                         policy->name, other->file, other->at.line);
    }
    return true;
}

static bool load_image(struct load *load, const struct path *path, const struct node *node, struct policy *policy)
{
    static const struct field_rule rules[] = {
        {"glob", NODE_STRING, FIELD_MANDATORY, "a pattern such as \"registry.example.com/team/**\""},
        {"regex", FIELD_ANY, FIELD_REFUSED, "ClusterImagePolicy has no image regular expressions; use a glob"},
        {"digest", FIELD_ANY, FIELD_REFUSED, "write the digest into the glob: \"registry.example.com/app@sha256:...\""},
    };
    struct path glob_path = {.up = path, .name = "glob"};
    const struct node *fields[ARRAY_LEN(rules)];
    struct policy_glob *glob;

    if (!fields_read(load, path, node, rules, ARRAY_LEN(rules), fields))
        return false;
    if (!mem_grow(&policy->globs, &policy->glob_capacity, policy->glob_count, sizeof(*policy->globs), GLOBS_MAX))
        return load_fail(load, path, node, "more than %d images", GLOBS_MAX);
    glob = &policy->globs[policy->glob_count];
    glob->at = (struct place){fields[0]->line, fields[0]->column};
    glob->text = glob_new(fields[0]->text, load->err);
    if (glob->text == NULL)
        return load_fail_error(load, &glob_path, fields[0]);
    policy->glob_count++;
    return true;
}

static bool load_images(struct load *load, const struct path *up, const struct node *list, struct policy *policy)
{
    struct path path = {.up = up, .name = "images"}, element = {.up = &path};

    if (!load_not_empty(load, &path, list, "glob"))
        return false;
    for (const struct node *item = list->child; item != NULL; item = item->next, element.index++) {
        if (!load_image(load, &element, item, policy))
            return false;
    }
    return true;
}

static bool check_authority_names(struct load *load, const struct path *up, const struct policy *policy)
{
    struct table names = {0};
    bool good = true;

    for (size_t i = 0; good && i < policy->authority_count; i++) {
        struct path path = {.up = up, .index = i}, name = {.up = &path, .name = "name"};
        const struct authority *authority = &policy->authorities[i];
        struct node at = {.line = authority->at.line, .column = authority->at.column};

        if (table_find(&names, span_str(authority->name)) != SIZE_MAX)
            good = load_fail(load, &name, &at, "the name \"%s\" is taken by another authority of this policy",
                             authority->name);
        else if (!table_add(&names, span_str(authority->name), i))
            good = error_oom(load->err);
    }
    table_done(&names);
    return good;
}

static bool load_authorities(struct load *load, const struct path *up, const struct node *list, struct policy *policy)
{
    struct path path = {.up = up, .name = "authorities"}, element = {.up = &path};

    if (!load_not_empty(load, &path, list, "authority"))
        return false;
    for (const struct node *item = list->child; item != NULL; item = item->next, element.index++) {
        struct authority *authority;

        if (!mem_grow(&policy->authorities, &policy->authority_capacity, policy->authority_count,
                      sizeof(*policy->authorities), AUTHORITIES_MAX))
            return load_fail(load, &element, item, "more than %d authorities", AUTHORITIES_MAX);
        authority = &policy->authorities[policy->authority_count++];
        authority->index = element.index;
        if (!load_authority(load, &element, item, policy, authority))
            return false;
    }
    return check_authority_names(load, &path, policy);
}

static bool load_mode(struct load *load, const struct path *up, const struct node *node, struct policy *policy)
{
    static const char *const modes[] = {"enforce", "warn"};
    struct path path = {.up = up, .name = "mode"};
    size_t mode = 0;

    if (node != NULL && !load_word(load, &path, node, modes, ARRAY_LEN(modes), &mode))
        return false;
    policy->mode = mode == 1 ? MODE_WARN : MODE_ENFORCE;
    return true;
}

static bool load_spec(struct load *load, const struct path *up, const struct node *node, struct policy *policy)
{
    enum { IMAGES, AUTHORITIES, MODE, PULLGUARD, MATCH, POLICY, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [IMAGES] = {"images", NODE_LIST, FIELD_MANDATORY, "a list of globs says for which images the policy holds"},
        [AUTHORITIES] = {"authorities", NODE_LIST, FIELD_MANDATORY, "without one, nothing could satisfy the policy"},
        [MODE] = {"mode", NODE_STRING, FIELD_OPTIONAL, NULL},
        [PULLGUARD] = {"pullguard", NODE_MAP, FIELD_OPTIONAL, NULL},
        [MATCH] =
            {"match", FIELD_ANY, FIELD_REFUSED,
             "selects Kubernetes resources, which a node's pull does not know; take it out (the policy then holds for "
             "every pull of these images)"},
        [POLICY] = {"policy", FIELD_ANY, FIELD_REFUSED,
                    "CUE and Rego are not run here; count signers with pullguard.threshold, and state conditions on "
                    "predicates under attestations[].pullguard.conditions"},
    };
    struct path path = {.up = up, .name = "spec"};
    const struct node *fields[FIELDS];

    return fields_read(load, &path, node, rules, FIELDS, fields) && load_images(load, &path, fields[IMAGES], policy) &&
           load_authorities(load, &path, fields[AUTHORITIES], policy) && load_mode(load, &path, fields[MODE], policy) &&
           load_policy_block(load, &path, fields[PULLGUARD], policy);
}

static bool load_list(struct load *load, const struct path *up, const struct node *list, int depth)
{
    struct path path = {.up = up, .name = "items"}, element = {.up = &path};

    if (list == NULL || list->kind != NODE_LIST)
        return load_fail(load, &path, list, "wanted a list of policies");
    for (const struct node *item = list->child; item != NULL; item = item->next, element.index++) {
        if (!load_document(load, &element, item, depth + 1))
            return false;
    }
    return true;
}

static bool load_policy_document(struct load *load, const struct path *path, const struct node *root)
{
    enum { VERSION, KIND, METADATA, SPEC, STATUS, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [VERSION] = {"apiVersion", NODE_STRING, FIELD_MANDATORY, "policy.sigstore.dev/v1beta1"},
        [KIND] = {"kind", NODE_STRING, FIELD_MANDATORY, "ClusterImagePolicy"},
        [METADATA] = {"metadata", NODE_MAP, FIELD_MANDATORY, "{name: ...}"},
        [SPEC] = {"spec", NODE_MAP, FIELD_MANDATORY, NULL},
        [STATUS] = {"status", FIELD_ANY, FIELD_IGNORED, NULL}, /* written by a cluster, decides nothing */
    };
    struct policy_set *set = load->set;
    const struct node *fields[FIELDS];
    struct policy *policy;

    if (!fields_read(load, path, root, rules, FIELDS, fields) || !check_version(load, path, fields[VERSION]))
        return false;
    if (!mem_grow(&set->policies, &set->policy_capacity, set->policy_count, sizeof(*set->policies), POLICIES_MAX))
        return load_fail(load, path, root, "more than %d policies", POLICIES_MAX);
    policy = &set->policies[set->policy_count++];
    policy->file = load->file;
    policy->at = (struct place){root->line, root->column};
    policy->threshold = 1;
    if (!load_metadata(load, path, fields[METADATA], policy) || !load_spec(load, path, fields[SPEC], policy))
        return false;
    return table_add(&set->policy_names, span_str(policy->name), set->policy_count - 1) || error_oom(load->err);
}

static bool load_document(struct load *load, const struct path *path, const struct node *root, int depth)
{
    const struct node *kind = node_get(root, "kind"), *version = node_get(root, "apiVersion");
    struct path kind_path = {.up = path, .name = "kind"};

    if (root->kind != NODE_MAP)
        return load_fail(load, path, root, "wanted a ClusterImagePolicy (a map with apiVersion, kind, metadata, spec)");
    if (kind == NULL)
        return load_fail(load, &kind_path, root, "is missing: ClusterImagePolicy");
    if (node_str_is(kind, "List") || node_str_is(kind, "ClusterImagePolicyList")) {
        if (depth >= LIST_DEPTH_MAX)
            return load_fail(load, path, root, "lists within lists");
        return load_list(load, path, node_get(root, "items"), depth);
    }
    if (!node_str_is(kind, "ClusterImagePolicy"))
        return wrong_kind(load, path, kind, version);
    return load_policy_document(load, path, root);
}

bool load_cluster_document(struct load *load, const struct node *root)
{
    return load_document(load, NULL, root, 0);
}
