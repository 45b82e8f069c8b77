/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of the three readers fails once: an error, and nothing lost. */
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/toml.h"
#include "base/tree.h"
#include "tests/unit/fault.h"
#include "tests/unit/harness.h"

static bool run_json(const void *text, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    bool done = json_parse(span_str(text), "doc", TREE_DEFAULT, &tree, err);

    return done && tree;
}

static bool run_yaml(const void *text, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    bool done = yaml_parse(span_str(text), "doc", &tree, err);

    return done && tree;
}

static bool run_toml(const void *text, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    bool done = toml_parse(span_str(text), "doc", &tree, err);

    return done && tree;
}

/* Enough nodes for several blocks, escapes, a long string, a map that is sorted, deep nesting for yajl's own stack. */
static void write_json(struct buf *buf)
{
    buf_str(buf, "{\"esc\\n\":\"a\\u00e4\\ud83d\\ude00\",\"long\":\"\\t");
    for (int i = 0; i < 2000; i++)
        buf_byte(buf, 'x');
    buf_str(buf, "\",\"big\":{");
    for (int i = 0; i < 100; i++)
        buf_printf(buf, "%s\"k%d\":[%d,true,null]", i > 0 ? "," : "", i, i);
    buf_str(buf, "},\"deep\":");
    for (int i = 0; i < 60; i++)
        buf_byte(buf, '[');
    buf_str(buf, "1.5");
    for (int i = 0; i < 60; i++)
        buf_byte(buf, ']');
    buf_byte(buf, '}');
}

START_TEST(json)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);

    write_json(&text);
    ck_assert_uint_ge(fault_run(run_json, buf_cstr(&text)), 15);
    ck_assert_uint_ge(fault_run(run_json, "1"), 5);
}
END_TEST

START_TEST(yaml)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);

    buf_str(&text, "a: |\n  text\nb: \"x\\u00e4\"\nc: [1, true, ~]\n---\n");
    for (int i = 0; i < 100; i++)
        buf_printf(&text, "k%d: {a: [b]}\n", i);
    ck_assert_uint_ge(fault_run(run_yaml, buf_cstr(&text)), 8);
}
END_TEST

START_TEST(toml)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(1 << 20);

    buf_str(&text, "a.b = \"x\\u00e4\"\nn = 1_000\nl = [1, {x = 2}]\n[t.u]\n[[v]]\n[[v]]\n");
    for (int i = 0; i < 100; i++)
        buf_printf(&text, "k%d = '''\nx\r\ny'''\n", i);
    ck_assert_uint_ge(fault_run(run_toml, buf_cstr(&text)), 100);
}
END_TEST

static bool run_names(const void *directory, struct error *err)
{
    CLEANUP(names_free) struct names names = {0};

    return dir_list(directory, NULL, &names, err);
}

static bool run_file(const void *path, struct error *err)
{
    CLEANUP(buf_free) struct buf content = BUF_INIT(0);

    return file_read(path, 1 << 20, FILE_TRUSTED, &content, err);
}

START_TEST(files)
{
    ck_assert_uint_ge(fault_run(run_names, "/etc"), 3);
    ck_assert_uint_ge(fault_run(run_file, "/etc/passwd"), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_fault");
    TCase *cases = tcase_create("fault");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, json);
    tcase_add_test(cases, yaml);
    tcase_add_test(cases, toml);
    tcase_add_test(cases, files);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
