/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints, signed entry timestamps and inclusion proofs, on a Rekor v1 and a Rekor v2 entry. */
#include "crypto/tlog.h"

#include <string.h>

#include "crypto/note.h"
#include "crypto/privkey.h"
#include "tests/unit/harness.h"
#include "tests/unit/vectors.h"

#define SAMPLES "crypto/samples/"
#define V1_ORIGIN "rekor.mock.test - 1193050959916656506"
#define V2_HOST "rekor2.mock.test"

enum { INTEGRATED_TIME = 1795451667, V1_INDEX = 1000005 };

static struct pubkey *key_of(const char *name)
{
    struct buf der CLEANUP(buf_free) = vector_read(name);
    struct pubkey *key = NULL;
    struct error err = ERROR_INIT;

    ck_assert_msg(pubkey_parse_der(buf_as_span(&der), &key, &err), "%s", err.text);
    return key;
}

/* What both versions' proofs have in common: five comes before in a tree of six. */
struct entry {
    struct buf body, checkpoint, hashes;
    struct pubkey *key;
    struct tlog_proof proof;
};

static void entry_done(struct entry *entry)
{
    buf_free(&entry->body);
    buf_free(&entry->checkpoint);
    buf_free(&entry->hashes);
    pubkey_freep(&entry->key);
}

static struct merkle_hash hashes[4];

static struct entry entry_of(int version)
{
    struct entry entry = {.body = vector_read(version == 1 ? SAMPLES "r1.body" : SAMPLES "r2.body"),
                          .checkpoint = vector_read(version == 1 ? SAMPLES "r1.checkpoint" : SAMPLES "r2.checkpoint"),
                          .hashes = vector_read(version == 1 ? SAMPLES "r1.hashes" : SAMPLES "r2.hashes"),
                          .key = key_of(version == 1 ? SAMPLES "rekor-v1.spki" : SAMPLES "rekor-v2.spki")};
    struct checkpoint checkpoint CLEANUP(checkpoint_done) = {.size = 0};
    struct error err = ERROR_INIT;

    ck_assert_uint_eq(entry.hashes.len, 64);
    memcpy(hashes, entry.hashes.ptr, 64);
    ck_assert(checkpoint_parse(buf_as_span(&entry.checkpoint), &checkpoint, &err));
    entry.proof = (struct tlog_proof){.log_index = 5, .tree_size = 6, .has_root = true, .root = checkpoint.root,
                                      .hashes = hashes, .hash_count = 2, .checkpoint = buf_as_span(&entry.checkpoint)};
    return entry;
}

static enum reason verify(const struct entry *entry, uint64_t index)
{
    struct error err = ERROR_INIT;
    bool v2;

    return tlog_verify_inclusion(&entry->proof, index, buf_as_span(&entry->body), V2_HOST, entry->key, &v2, &err)
               ? REASON_OK : err.reason;
}

START_TEST(inclusion_v1)
{
    struct entry entry CLEANUP(entry_done) = entry_of(1);
    struct pubkey *other CLEANUP(pubkey_freep) = key_of(SAMPLES "ctlog.spki");
    struct pubkey *own = entry.key;

    ck_assert_int_eq(verify(&entry, V1_INDEX), REASON_OK);
    ck_assert_int_eq(verify(&entry, 77), REASON_OK); /* v1: the proof's own index counts */
    entry.proof.log_index = 4;
    ck_assert_int_eq(verify(&entry, V1_INDEX), REASON_NO_LOG_ENTRY);
    entry.proof.log_index = 5;
    entry.proof.tree_size = 7;
    ck_assert_int_eq(verify(&entry, V1_INDEX), REASON_NO_LOG_ENTRY);
    entry.proof.tree_size = 6;
    entry.proof.has_root = false;
    ck_assert_int_eq(verify(&entry, V1_INDEX), REASON_NO_LOG_ENTRY);
    entry.proof.has_root = true;
    entry.proof.root.bytes[0] ^= 1;
    ck_assert_int_eq(verify(&entry, V1_INDEX), REASON_NO_LOG_ENTRY);
    entry.proof.root.bytes[0] ^= 1;
    entry.proof.hash_count = 1;
    ck_assert_int_eq(verify(&entry, V1_INDEX), REASON_NO_LOG_ENTRY);
    entry.proof.hash_count = 2;
    entry.body.ptr[10] ^= 1;
    ck_assert_int_eq(verify(&entry, V1_INDEX), REASON_NO_LOG_ENTRY);
    entry.body.ptr[10] ^= 1;
    entry.key = other;
    ck_assert_int_eq(verify(&entry, V1_INDEX), REASON_WRONG_KEY);
    entry.key = own;
    ck_assert_int_eq(verify(&entry, V1_INDEX), REASON_OK);
}
END_TEST

START_TEST(inclusion_v2)
{
    struct entry entry CLEANUP(entry_done) = entry_of(2);
    struct error err = ERROR_INIT;

    ck_assert_int_eq(verify(&entry, 5), REASON_OK);
    ck_assert_int_eq(verify(&entry, 4), REASON_NO_LOG_ENTRY);
    ck_assert_int_eq(verify(&entry, 6), REASON_NO_LOG_ENTRY);
    entry.proof.has_root = false; /* size and root are the checkpoint's */
    entry.proof.tree_size = 0;
    ck_assert_int_eq(verify(&entry, 5), REASON_OK);
    ck_assert(
        !tlog_verify_inclusion(&entry.proof, 5, buf_as_span(&entry.body), "rekor.sigstore.dev", entry.key, NULL, &err));
    ck_assert_int_eq(err.reason, REASON_WRONG_KEY);
}
END_TEST

/* No byte of a checkpoint can be changed, dropped or cut off. What may change is only what the log did not sign:
 * nothing in these notes, which have one signature line each. */
START_TEST(damaged_checkpoints)
{
    struct entry entry CLEANUP(entry_done) = entry_of(_i);

    for (size_t i = 0; i < entry.checkpoint.len * 8; i += vector_bit_step()) {
        entry.checkpoint.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        /* v1 does not look at the signer's name: rekor's is not the name in its trusted root */
        if (verify(&entry, 5) == REASON_OK) {
            size_t start = span_find(buf_as_span(&entry.checkpoint), "\xe2\x80\x94 ");

            ck_assert_int_eq(_i, 1);
            ck_assert_msg(i / 8 >= start + 4 && i / 8 < start + 4 + strlen("rekor.mock.test"), "bit %zu", i);
        }
        entry.checkpoint.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < entry.checkpoint.len; len++) {
        entry.proof.checkpoint = span_of(entry.checkpoint.ptr, len);
        ck_assert_int_ne(verify(&entry, 5), REASON_OK);
    }
}
END_TEST

static enum reason verify_set(const struct tlog_promise *promise, struct span set, const struct pubkey *key)
{
    struct error err = ERROR_INIT;

    return tlog_verify_promise(promise, set, key, &err) ? REASON_OK : err.reason;
}

START_TEST(promises)
{
    struct entry entry CLEANUP(entry_done) = entry_of(1);
    struct buf set CLEANUP(buf_free) = vector_read(SAMPLES "r1.set");
    struct tlog_promise promise = {
        .body = buf_as_span(&entry.body), .integrated_time = INTEGRATED_TIME, .log_index = V1_INDEX};

    ck_assert(tlog_id_of_key(entry.key, &promise.log_id));
    ck_assert_int_eq(verify_set(&promise, buf_as_span(&set), entry.key), REASON_OK);
    promise.integrated_time++;
    ck_assert_int_eq(verify_set(&promise, buf_as_span(&set), entry.key), REASON_BAD_SIGNATURE);
    promise.integrated_time--;
    promise.log_index = 5; /* the proof's index instead of the entry's */
    ck_assert_int_eq(verify_set(&promise, buf_as_span(&set), entry.key), REASON_BAD_SIGNATURE);
    promise.log_index = V1_INDEX;
    promise.log_id.bytes[0] ^= 1;
    ck_assert_int_eq(verify_set(&promise, buf_as_span(&set), entry.key), REASON_WRONG_KEY);
    promise.log_id.bytes[0] ^= 1;
    for (size_t i = 0; i < set.len * 8; i += vector_bit_step()) {
        set.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_int_eq(verify_set(&promise, buf_as_span(&set), entry.key), REASON_BAD_SIGNATURE);
        set.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < set.len; len++)
        ck_assert_int_eq(verify_set(&promise, span_of(set.ptr, len), entry.key), REASON_BAD_SIGNATURE);
    for (size_t i = 0; i < entry.body.len; i++) {
        entry.body.ptr[i] ^= 0x01;
        ck_assert_int_eq(verify_set(&promise, buf_as_span(&set), entry.key), REASON_BAD_SIGNATURE);
        entry.body.ptr[i] ^= 0x01;
    }
}
END_TEST

START_TEST(log_ids)
{
    struct pubkey *v1 CLEANUP(pubkey_freep) = key_of(SAMPLES "rekor-v1.spki");
    struct pubkey *v2 CLEANUP(pubkey_freep) = key_of(SAMPLES "rekor-v2.spki");
    struct buf id1 CLEANUP(buf_free) = vector_read(SAMPLES "rekor-v1.id");
    struct buf id2 CLEANUP(buf_free) = vector_read(SAMPLES "rekor-v2.id");
    struct tlog_id id;
    char host[64];

    ck_assert(tlog_id_of_key(v1, &id) && tlog_id_eq(&id, buf_as_span(&id1)));
    ck_assert(tlog_id_of_v2("any", v1, &id) && tlog_id_eq(&id, buf_as_span(&id1)));
    ck_assert(tlog_id_of_v2(V2_HOST, v2, &id) && tlog_id_eq(&id, buf_as_span(&id2)));
    ck_assert(tlog_id_of_v2("other.test", v2, &id) && !tlog_id_eq(&id, buf_as_span(&id2)));
    ck_assert(!tlog_id_eq(&id, span_of(id.bytes, 31)));
    ck_assert(tlog_host_of_url(span_str("https://log.test:8080/api?x"), host, sizeof(host)));
    ck_assert_str_eq(host, "log.test");
    ck_assert(tlog_host_of_url(span_str("https://log.test:8080"), host, sizeof(host)));
    ck_assert_str_eq(host, "log.test");
    ck_assert(tlog_host_of_url(span_str("http://[::1]:3003/"), host, sizeof(host)));
    ck_assert_str_eq(host, "::1");
    ck_assert(tlog_host_of_url(span_str("http://[fd00::2]"), host, sizeof(host)));
    ck_assert_str_eq(host, "fd00::2");
    ck_assert(!tlog_host_of_url(span_str("http://[::1/"), host, sizeof(host)));
    ck_assert(!tlog_host_of_url(span_str("https://:8080/"), host, sizeof(host)));
    ck_assert(!tlog_host_of_url(span_str("log.test"), host, sizeof(host)));
    ck_assert(!tlog_host_of_url(span_str("https:///x"), host, sizeof(host)));
    ck_assert(!tlog_host_of_url(span_str("https://user@log.test/"), host, sizeof(host)));
    ck_assert(!tlog_host_of_url(span_str("https://log.test:x@other.test/"), host, sizeof(host)));
    ck_assert(!tlog_host_of_url(span_of("https://log.test\0.other.test/", 29), host, sizeof(host)));
}
END_TEST

#define ROOT "Dw1Lt+tpstMsi5uElT08/FvDGQXeitEy/ADhZFXoQzc=\n"
#define LINE "\xe2\x80\x94 name kwbLkTBGAiEA\n"

static const struct {
    const char *text;
    enum reason reason;
} notes[] = {
    {"origin\n6\n" ROOT "\n" LINE, REASON_OK},
    {"origin\n0\n" ROOT "\n" LINE, REASON_OK},
    {"origin\n6\n" ROOT "extension\n\n" LINE LINE, REASON_OK},
    {"", REASON_MALFORMED},
    {"origin\n6\n" ROOT LINE, REASON_MALFORMED},              /* no empty line */
    {"origin\n6\n" ROOT "\n", REASON_MALFORMED},               /* no signature */
    {"origin\n6\n\n" LINE, REASON_MALFORMED},                  /* two lines */
    {"\n6\n" ROOT "\n" LINE, REASON_MALFORMED},                /* no origin */
    {"origin\n06\n" ROOT "\n" LINE, REASON_MALFORMED},         /* leading zero */
    {"origin\n-6\n" ROOT "\n" LINE, REASON_MALFORMED},
    {"origin\n99999999999999999999\n" ROOT "\n" LINE, REASON_MALFORMED},
    {"origin\n6\nDw1L\n\n" LINE, REASON_MALFORMED},            /* short root */
    {"origin\r\n6\n" ROOT "\n" LINE, REASON_MALFORMED},        /* control character */
    {"origin\n6\n" ROOT "\n\xe2\x80\x94 name kwbLkTBGAiEA", REASON_MALFORMED}, /* no line feed */
    {"origin\n6\n" ROOT "\n- name kwbLkTBGAiEA\n", REASON_MALFORMED},          /* hyphen for dash */
    {"origin\n6\n" ROOT "\n\xe2\x80\x94 name kwbLkQ==\n", REASON_MALFORMED},   /* key id only */
    {"origin\n6\n" ROOT "\n\xe2\x80\x94 na+me kwbLkTBGAiEA\n", REASON_MALFORMED},
    {"origin\n6\n" ROOT "\n\xe2\x80\x94  kwbLkTBGAiEA\n", REASON_MALFORMED},   /* no name */
    {"origin\n6\n" ROOT "\n\xe2\x80\x94 name kwbLkTBGAiE\n", REASON_MALFORMED},
    {"origin\n6\n" ROOT "\n" LINE "junk\n", REASON_MALFORMED},
    {"origin\n6\n" ROOT "\xff\n\n" LINE, REASON_MALFORMED},    /* not UTF-8 */
    {"origin\n6\n" ROOT "\n" LINE "\xe2\x80\x94 name kwbLkTBGAiEA", REASON_MALFORMED},
    {"origin\n6\n" ROOT "\n\n" LINE, REASON_MALFORMED},        /* an empty line belongs to nobody */
};

START_TEST(note_grammar)
{
    struct checkpoint checkpoint CLEANUP(checkpoint_done) = {.size = 0};
    struct error err = ERROR_INIT;
    bool done = checkpoint_parse(span_str(notes[_i].text), &checkpoint, &err);

    ck_assert_msg(done == (notes[_i].reason == REASON_OK), "note %d: %s", _i, err.text);
    if (!done)
        ck_assert_int_eq(err.reason, notes[_i].reason);
}
END_TEST

/* Witnesses' lines in any position are fine for v2 and make a v1 note doubtful; a bad line of the log's own refuses. */
START_TEST(other_lines)
{
    struct entry v1 CLEANUP(entry_done) = entry_of(1);
    struct entry v2 CLEANUP(entry_done) = entry_of(2);
    struct entry *entry = _i == 1 ? &v1 : &v2;
    size_t split = span_find(buf_as_span(&entry->checkpoint), "\n\n") + 2;
    static const char witness[] = "\xe2\x80\x94 witness.test AAAAATBGAiEA\n";
    struct buf first CLEANUP(buf_free) = BUF_INIT(4096);
    struct buf last CLEANUP(buf_free) = BUF_INIT(4096);
    struct buf bad CLEANUP(buf_free) = BUF_INIT(4096);

    buf_append(&first, entry->checkpoint.ptr, split);
    buf_str(&first, witness);
    buf_append(&first, entry->checkpoint.ptr + split, entry->checkpoint.len - split);
    buf_span(&last, buf_as_span(&entry->checkpoint));
    buf_str(&last, witness);
    entry->proof.checkpoint = buf_as_span(&first);
    ck_assert_int_eq(verify(entry, 5), _i == 1 ? REASON_WRONG_KEY : REASON_OK);
    entry->proof.checkpoint = buf_as_span(&last);
    ck_assert_int_eq(verify(entry, 5), _i == 1 ? REASON_WRONG_KEY : REASON_OK);

    buf_span(&bad, buf_as_span(&entry->checkpoint));
    buf_append(&bad, entry->checkpoint.ptr + split, entry->checkpoint.len - split);
    bad.ptr[bad.len - 8] ^= 0x02;
    entry->proof.checkpoint = buf_as_span(&bad);
    ck_assert_int_eq(verify(entry, 5), REASON_BAD_SIGNATURE);
}
END_TEST

/* A checkpoint of our own making: text, signed by key under a name. */
static struct buf make_note(const struct privkey *key, const char *origin, unsigned int size,
                            const struct merkle_hash *root, const char *name, const struct tlog_id *id)
{
    struct buf note = BUF_INIT(4096);
    struct buf sig CLEANUP(buf_free) = BUF_INIT(512);
    struct error err = ERROR_INIT;

    buf_printf(&note, "%s\n%u\n", origin, size);
    base64_encode(span_of(root->bytes, sizeof(root->bytes)), &note);
    buf_byte(&note, '\n');
    buf_append(&sig, id->bytes, NOTE_KEY_ID_BYTES);
    ck_assert(privkey_sign(key, buf_as_span(&note), &sig, &err));
    buf_printf(&note, "\n\xe2\x80\x94 %s ", name);
    base64_encode(buf_as_span(&sig), &note);
    buf_byte(&note, '\n');
    ck_assert(buf_ok(&note));
    return note;
}

/* Entry 0 of a tree of eight: its walk is that of a tree of seven too, so only the comparison of sizes tells them
 * apart. */
START_TEST(made_v1)
{
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct merkle_hash path[3] = {{{1}}, {{2}}, {{3}}};
    struct merkle_hash root;
    struct buf note CLEANUP(buf_free) = BUF_INIT(0);
    struct tlog_proof proof = {.tree_size = 8, .has_root = true, .hashes = path, .hash_count = 3};
    struct tlog_id id;
    struct error err = ERROR_INIT;

    ck_assert(privkey_generate(&key, &err));
    ck_assert(merkle_leaf(span_str("entry"), &root));
    for (size_t i = 0; i < ARRAY_LEN(path); i++)
        ck_assert(merkle_node(&root, &path[i], &root));
    ck_assert(tlog_id_of_key(privkey_public(key), &id));
    note = make_note(key, "log.test - 7", 8, &root, "log.test", &id);
    proof.checkpoint = buf_as_span(&note);
    proof.root = root;
    ck_assert(tlog_verify_inclusion(&proof, 99, span_str("entry"), "log.test", privkey_public(key), NULL, &err));
    proof.tree_size = 7;
    ck_assert(!tlog_verify_inclusion(&proof, 99, span_str("entry"), "log.test", privkey_public(key), NULL, &err));
    ck_assert_int_eq(err.reason, REASON_NO_LOG_ENTRY);
}
END_TEST

/* v2: origin and name are both the log's, each by itself. ECDSA and Ed25519 have their own key ids. */
START_TEST(made_v2)
{
    struct buf pem CLEANUP(buf_free) = vector_read("crypto/keys/private-ed25519.pem");
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    static const struct {
        const char *origin, *name;
        enum reason reason;
    } cases[] = {{"log.test", "log.test", REASON_OK},
                 {"other.test", "log.test", REASON_WRONG_KEY},
                 {"log.test", "other.test", REASON_WRONG_KEY}};
    struct tlog_proof proof = {.tree_size = 0};
    struct merkle_hash root;
    struct tlog_id id;
    struct error err = ERROR_INIT;

    ck_assert(_i == 0 ? privkey_generate(&key, &err) : privkey_parse_pem(buf_as_span(&pem), &key, &err));
    ck_assert(merkle_leaf(span_str("entry"), &root));
    ck_assert(tlog_id_of_v2("log.test", privkey_public(key), &id));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf note CLEANUP(buf_free) = make_note(key, cases[i].origin, 1, &root, cases[i].name, &id);
        bool done;

        proof.checkpoint = buf_as_span(&note);
        done = tlog_verify_inclusion(&proof, 0, span_str("entry"), "log.test", privkey_public(key), NULL, &err);
        ck_assert_msg((done ? REASON_OK : err.reason) == cases[i].reason, "case %zu: %s", i, err.text);
        if (i > 0)
            continue;
        /* A root that the proof states as well must be the checkpoint's. */
        proof.has_root = true;
        proof.root = root;
        ck_assert(tlog_verify_inclusion(&proof, 0, span_str("entry"), "log.test", privkey_public(key), NULL, &err));
        proof.root.bytes[31] ^= 1;
        ck_assert(!tlog_verify_inclusion(&proof, 0, span_str("entry"), "log.test", privkey_public(key), NULL, &err));
        ck_assert_int_eq(err.reason, REASON_NO_LOG_ENTRY);
        proof.has_root = false;
    }
}
END_TEST

/* "PKIX_ECDSA_P384_SHA_384" says which hash such a log signs; the first ones signed SHA-256 whatever their key. */
START_TEST(logs_with_larger_keys)
{
    static const char *const hash_names[] = {"sha256", "sha384"};
    struct pubkey *key CLEANUP(pubkey_freep) = key_of("crypto/logs/p384.spki");
    struct tlog_promise promise = {.body = span_str("entry"), .integrated_time = 1700000000, .log_index = 7};
    struct error err = ERROR_INIT;

    ck_assert(tlog_id_of_key(key, &promise.log_id));
    for (size_t i = 0; i < ARRAY_LEN(hash_names); i++) {
        char note_name[40], set_name[40];
        struct tlog_proof proof = {.tree_size = 0};
        struct buf note CLEANUP(buf_free) = BUF_INIT(0), set CLEANUP(buf_free) = BUF_INIT(0);

        (void)snprintf(note_name, sizeof(note_name), "crypto/logs/p384.%s.note", hash_names[i]);
        (void)snprintf(set_name, sizeof(set_name), "crypto/logs/p384.%s.set", hash_names[i]);
        note = vector_read(note_name);
        set = vector_read(set_name);
        proof.checkpoint = buf_as_span(&note);
        ck_assert_msg(tlog_verify_inclusion(&proof, 0, span_str("entry"), "log.test", key, NULL, &err), "%s: %s",
                      note_name, err.text);
        note.ptr[9]++; /* the size */
        ck_assert(!tlog_verify_inclusion(&proof, 0, span_str("entry"), "log.test", key, NULL, &err));
        ck_assert_int_eq(err.reason, REASON_BAD_SIGNATURE);
        ck_assert_int_eq(verify_set(&promise, buf_as_span(&set), key), REASON_OK);
        promise.log_index++;
        ck_assert_int_eq(verify_set(&promise, buf_as_span(&set), key), REASON_BAD_SIGNATURE);
        promise.log_index--;
    }
}
END_TEST

START_TEST(origins)
{
    static const struct {
        const char *origin;
        bool v1;
    } cases[] = {{V1_ORIGIN, true}, {"a - 0", true}, {"log2025-1.rekor.sigstore.dev", false}, {"a -1", false},
                 {"a - ", false}, {"a - 1x", false}, {" - 1", true}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct checkpoint checkpoint = {.origin = span_str(cases[i].origin)};

        ck_assert_msg(checkpoint_is_rekor_v1(&checkpoint) == cases[i].v1, "%s", cases[i].origin);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto_tlog");
    TCase *cases = tcase_create("tlog");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, inclusion_v1);
    tcase_add_test(cases, inclusion_v2);
    tcase_add_loop_test(cases, damaged_checkpoints, 1, 3);
    tcase_add_test(cases, promises);
    tcase_add_test(cases, log_ids);
    tcase_add_loop_test(cases, note_grammar, 0, ARRAY_LEN(notes));
    tcase_add_loop_test(cases, other_lines, 1, 3);
    tcase_add_test(cases, made_v1);
    tcase_add_loop_test(cases, made_v2, 0, 2);
    tcase_add_test(cases, logs_with_larger_keys);
    tcase_add_test(cases, origins);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
