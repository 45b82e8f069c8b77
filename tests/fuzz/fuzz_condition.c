/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condition_load, condition_holds, condition_check_types. Input: conditions in YAML, a line "===", a statement in JSON.
 * What holds is not also denied: conditions and the same ones under noneOf never both hold.
 */
#include "policy/condition.h"

#include "base/buf.h"
#include "base/json_out.h"
#include "base/tree.h"
#include "tests/fuzz/fuzz.h"

static bool ignore_warning(void *context, uint32_t line, uint32_t column, const char *text)
{
    (void)context;
    FUZZ_CHECK(line > 0 && column > 0 && text[0] != '\0');
    return true;
}

static void load_negated(const struct node *list, const struct condition_input *input)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(8 * 1024 * 1024);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    CLEANUP(condition_freep) struct condition *negated = NULL;
    struct json_out out = json_out_to(&text);
    struct error err = ERROR_INIT, why = ERROR_INIT;
    struct load load = {.file = "negated", .err = &err};

    json_open_list(&out, NULL);
    json_open_map(&out, NULL);
    json_open_list(&out, "noneOf");
    json_put_node(&out, NULL, list);
    json_close_list(&out);
    json_close_map(&out);
    json_close_list(&out);
    if (!buf_ok(&text) || !json_parse(buf_as_span(&text), "negated", TREE_DEFAULT, &tree, &err) ||
        !condition_load(&load, NULL, tree_root(tree), &negated))
        return;
    FUZZ_CHECK(!condition_holds(negated, input, &why));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const types[] = {"https://slsa.dev/provenance/v1", "https://spdx.dev/Document",
                                        "https://cyclonedx.org/bom", "https://openvex.dev/ns"};
    const struct condition_lint lint = {.warn = ignore_warning};
    CLEANUP(tree_freep) struct tree *yaml = NULL, *json = NULL;
    CLEANUP(condition_freep) struct condition *conditions = NULL;
    struct span input = span_of(bytes, len);
    size_t end = span_find(input, "\n===\n");
    struct error err = ERROR_INIT, why = ERROR_INIT;
    struct load load = {.file = "input", .err = &err};
    struct condition_input facts = {.now = 1000000, .has_time = true, .time = 900000};

    if (end == SIZE_MAX || !yaml_parse(span_cut(input, 0, end), "input", &yaml, &err) || tree_documents(yaml) == 0)
        return 0;
    if (!condition_load(&load, NULL, tree_root(yaml), &conditions)) {
        FUZZ_CHECK(conditions == NULL && err.reason == REASON_POLICY_ERROR && err.text[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        FUZZ_CHECK(condition_check_types(conditions, types[i], &lint));
    if (!json_parse(span_cut(input, end + 5, SIZE_MAX), "statement", TREE_NO_PLACES, &json, &err))
        return 0;
    facts.statement = tree_root(json);
    if (condition_holds(conditions, &facts, &why))
        load_negated(tree_root(yaml), &facts);
    else
        FUZZ_CHECK(why.reason == REASON_ATTESTATION_CONDITION && why.text[0] != '\0');
    return 0;
}
