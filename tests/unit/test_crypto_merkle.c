/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/merkle.h"

#include <string.h>

#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

enum { MAX_LEAVES = 40, MAX_PATH = 8 };

/*
 * The eight entries of the Merkle tree tests of google/certificate-transparency (Apache-2.0), which is the RFC's
 * reference implementation, and the root over the first n of them. RFC 6962 itself prints no hashes.
 */
static const char *const entries[] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                      "606162636465666768696a6b6c6d6e6f"};
static const char *const roots[] = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

/* RFC 6962 section 2.1, written as the recursive definition: independent of the walk under test. */
static struct merkle_hash tree_root(const struct merkle_hash *leaves, size_t count)
{
    struct merkle_hash left, right, root;
    size_t k = 1;

    if (count == 1)
        return leaves[0];
    while (k * 2 < count)
        k *= 2;
    left = tree_root(leaves, k);
    right = tree_root(leaves + k, count - k);
    ck_assert(merkle_node(&left, &right, &root));
    return root;
}

/* RFC 6962 section 2.1.1, PATH(m, D[n]). */
static size_t tree_path(const struct merkle_hash *leaves, size_t count, size_t index, struct merkle_hash *path)
{
    size_t k = 1;
    size_t len;

    if (count == 1)
        return 0;
    while (k * 2 < count)
        k *= 2;
    if (index < k) {
        len = tree_path(leaves, k, index, path);
        path[len] = tree_root(leaves + k, count - k);
    } else {
        len = tree_path(leaves + k, count - k, index - k, path);
        path[len] = tree_root(leaves, k);
    }
    return len + 1;
}

START_TEST(reference_roots)
{
    struct merkle_hash leaves[ARRAY_LEN(entries)];

    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        struct buf entry CLEANUP(buf_free) = BUF_INIT(0);
        struct merkle_hash root;
        char hex[65];

        if (entries[i][0] != '\0')
            entry = vector_hex(span_str(entries[i]));
        ck_assert(merkle_leaf(buf_as_span(&entry), &leaves[i]));
        root = tree_root(leaves, i + 1);
        hex_encode(span_of(root.bytes, sizeof(root.bytes)), hex);
        ck_assert_str_eq(hex, roots[i]);
    }
}
END_TEST

static enum reason verify(uint64_t index, uint64_t size, const struct merkle_hash *leaf, const struct merkle_hash *path,
                          size_t len, const struct merkle_hash *root)
{
    struct error err = ERROR_INIT;

    return merkle_verify_inclusion(index, size, leaf, path, len, root, &err) ? REASON_OK : err.reason;
}

static void damage(size_t index, size_t size, const struct merkle_hash *leaf, const struct merkle_hash *path,
                   size_t len, const struct merkle_hash *root)
{
    struct merkle_hash other[MAX_PATH + 1] = {0};

    memcpy(other, path, len * sizeof(*path));
    ck_assert_int_eq(verify(index, size, leaf, other, len + 1, root), REASON_NO_LOG_ENTRY); /* one too many */
    if (len > 0) {
        ck_assert_int_eq(verify(index, size, leaf, path, len - 1, root), REASON_NO_LOG_ENTRY);
        ck_assert_int_eq(verify(index, size, leaf, path + 1, len - 1, root), REASON_NO_LOG_ENTRY);
    }
    for (size_t i = 0; i < len; i++) {
        other[i].bytes[i % MERKLE_HASH_BYTES] ^= 0x80;
        ck_assert_int_eq(verify(index, size, leaf, other, len, root), REASON_NO_LOG_ENTRY);
        other[i].bytes[i % MERKLE_HASH_BYTES] ^= 0x80;
    }
}

/* Every leaf of every tree up to MAX_LEAVES: its own proof verifies, and no other index does with it. */
START_TEST(all_small_trees)
{
    struct merkle_hash leaves[MAX_LEAVES];

    for (size_t i = 0; i < MAX_LEAVES; i++) {
        uint8_t entry = (uint8_t)i;

        ck_assert(merkle_leaf(span_of(&entry, 1), &leaves[i]));
    }
    for (size_t size = 1; size <= MAX_LEAVES; size++) {
        struct merkle_hash root = tree_root(leaves, size);

        for (size_t index = 0; index < size; index++) {
            struct merkle_hash path[MAX_PATH] = {0};
            size_t len = tree_path(leaves, size, index, path);

            for (size_t claimed = 0; claimed < size + 2; claimed++)
                ck_assert_int_eq(verify(claimed, size, &leaves[index], path, len, &root),
                                 claimed == index ? REASON_OK : REASON_NO_LOG_ENTRY);
            damage(index, size, &leaves[index], path, len, &root);
        }
    }
}
END_TEST

START_TEST(extremes)
{
    struct merkle_hash path[65] = {0};
    struct merkle_hash hash = {{0}};

    ck_assert_int_eq(verify(0, 0, &hash, path, 0, &hash), REASON_NO_LOG_ENTRY);
    ck_assert_int_eq(verify(0, 1, &hash, path, 0, &hash), REASON_OK);
    ck_assert_int_eq(verify(UINT64_MAX, UINT64_MAX, &hash, path, 0, &hash), REASON_NO_LOG_ENTRY);
    ck_assert_int_eq(verify(UINT64_MAX - 1, UINT64_MAX, &hash, path, 64, &hash), REASON_NO_LOG_ENTRY);
    ck_assert_int_eq(verify(0, UINT64_MAX, &hash, path, 64, &hash), REASON_NO_LOG_ENTRY);
    ck_assert_int_eq(verify(0, UINT64_MAX, &hash, path, 65, &hash), REASON_LIMIT);
    ck_assert(!merkle_hash_of(span_str("short"), &hash));
    /* a tree of one leaf has no path: its root is the leaf, and not what the walk would make of a path */
    ck_assert(merkle_node(&path[0], &hash, &hash));
    ck_assert_int_eq(verify(0, 1, &path[1], path, 1, &hash), REASON_NO_LOG_ENTRY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_merkle");
    TCase *cases = tcase_create("merkle");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, reference_roots);
    tcase_add_test(cases, all_small_trees);
    tcase_add_test(cases, extremes);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
