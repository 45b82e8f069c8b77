/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/start/boltdb.h"

#include <string.h>

enum {
    PAGE_HEADER_BYTES = 16,
    ELEMENT_BYTES = 16, /* branch and leaf elements alike */
    BUCKET_HEADER_BYTES = 16,
    META_BYTES = 64,
    FLAG_BRANCH = 0x01,
    FLAG_LEAF = 0x02,
    FLAG_META = 0x04,
    LEAF_IS_BUCKET = 0x01,
    MAX_DEPTH = 32, /* a B+tree of this depth would hold more pages than a file can */
};

static const uint32_t MAGIC = 0xED0CDAED;

static uint64_t little(struct span bytes, size_t offset, size_t len)
{
    uint64_t value = 0;

    for (size_t i = len; i > 0; i--)
        value = value << 8 | bytes.ptr[offset + i - 1];
    return value;
}

/* bbolt seals the meta page with 64-bit FNV-1a over its first 56 bytes. */
static uint64_t fnv1a(struct span bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < bytes.len; i++) {
        hash ^= bytes.ptr[i];
        hash *= 0x100000001b3u;
    }
    return hash;
}

static bool damaged(struct error *err, const char *what)
{
    return error_set(err, REASON_MALFORMED, "containerd's metadata: %s", what);
}

static bool read_meta(struct span file, uint64_t offset, struct boltdb *ret)
{
    struct span meta;
    uint64_t page_bytes;

    if (offset > file.len || file.len - offset < PAGE_HEADER_BYTES + META_BYTES)
        return false;
    if ((little(file, offset + 8, 2) & FLAG_META) == 0)
        return false;
    meta = span_cut(file, offset + PAGE_HEADER_BYTES, META_BYTES);
    page_bytes = little(meta, 8, 4);
    if (little(meta, 0, 4) != MAGIC || little(meta, 4, 4) != 2 || page_bytes < 1024 || page_bytes > 65536 ||
        little(meta, 56, 8) != fnv1a(span_cut(meta, 0, 56)))
        return false;
    *ret = (struct boltdb){.file = file, .page_bytes = page_bytes, .root = little(meta, 16, 8),
                           .transaction = little(meta, 48, 8)};
    return true;
}

bool boltdb_open(struct span file, struct boltdb *ret, struct error *err)
{
    struct boltdb first = {0}, second = {0};
    bool has_first = read_meta(file, 0, &first);
    bool has_second = false;

    /* The second meta page lies one page in; its size is the first's, or any power of two when the first is torn. */
    for (uint64_t size = 1024; size <= 65536 && !has_second; size *= 2)
        has_second = (!has_first || size == first.page_bytes) && read_meta(file, size, &second) &&
                     second.page_bytes == size;
    if (!has_first && !has_second)
        return damaged(err, "no valid meta page (not a bbolt file, or another version)");
    *ret = has_second && (!has_first || second.transaction > first.transaction) ? second : first;
    return true;
}

/* A page's header and elements: from the file by number, or inline in a bucket's value. */
struct page {
    struct span bytes; /* the whole page with its overflow */
    unsigned int flags;
    size_t count;
};

static bool page_of(struct span bytes, struct page *ret, struct error *err)
{
    if (bytes.len < PAGE_HEADER_BYTES)
        return damaged(err, "a page is cut off");
    *ret = (struct page){.bytes = bytes, .flags = (unsigned int)little(bytes, 8, 2), .count = little(bytes, 10, 2)};
    if ((ret->flags != FLAG_BRANCH && ret->flags != FLAG_LEAF) ||
        ret->count > (bytes.len - PAGE_HEADER_BYTES) / ELEMENT_BYTES)
        return damaged(err, "a page is neither branch nor leaf, or counts too many elements");
    return true;
}

static bool page_at(const struct boltdb *db, uint64_t number, struct page *ret, struct error *err)
{
    uint64_t offset, len;

    if (number > db->file.len / db->page_bytes)
        return damaged(err, "a page lies beyond the end of the file");
    offset = number * db->page_bytes;
    if (db->file.len - offset < PAGE_HEADER_BYTES)
        return damaged(err, "a page lies beyond the end of the file");
    len = (little(db->file, offset + 12, 4) + 1) * db->page_bytes;
    if (len > db->file.len - offset)
        return damaged(err, "a page is cut off");
    return page_of(span_cut(db->file, offset, len), ret, err);
}

/* Part of a page named relative to an element. */
static bool part(const struct page *page, size_t element, uint64_t pos, uint64_t len, struct span *ret,
                 struct error *err)
{
    uint64_t start = element + pos;

    if (start > page->bytes.len || len > page->bytes.len - start)
        return damaged(err, "a key or value lies outside its page");
    *ret = len > 0 ? span_cut(page->bytes, start, len) : span_of(NULL, 0);
    return true;
}

static int compare(struct span a, struct span b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

/* Key of element i. */
static bool key_at(const struct page *page, size_t i, struct span *ret, struct error *err)
{
    size_t at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    size_t pos_at = page->flags == FLAG_LEAF ? 4 : 0;

    return part(page, at, little(page->bytes, at + pos_at, 4), little(page->bytes, at + pos_at + 4, 4), ret, err);
}

/* The last element whose key is not above `key`; count when all are above. Keys are sorted. */
static bool find_element(const struct page *page, struct span key, size_t *ret, struct error *err)
{
    size_t low = 0, high = page->count;
    struct span found;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (!key_at(page, middle, &found, err))
            return false;
        if (compare(found, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = low > 0 ? low - 1 : page->count;
    return true;
}

static bool leaf_value(const struct page *page, struct span key, bool *ret_bucket, struct span *ret, struct error *err)
{
    size_t i = 0, at;
    struct span found, value;

    if (!find_element(page, key, &i, err))
        return false;
    if (i == page->count)
        return true;
    at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    if (!key_at(page, i, &found, err) ||
        !part(page, at, little(page->bytes, at + 4, 4) + little(page->bytes, at + 8, 4),
              little(page->bytes, at + 12, 4), &value, err))
        return false;
    if (!span_eq(found, key))
        return true;
    *ret_bucket = (little(page->bytes, at, 4) & LEAF_IS_BUCKET) != 0;
    *ret = value;
    return true;
}

/* Down the B+tree from one page to the leaf that would hold the key. */
static bool tree_value(const struct boltdb *db, struct page page, struct span key, bool *ret_bucket, struct span *ret,
                       struct error *err)
{
    for (int depth = 0; depth < MAX_DEPTH; depth++) {
        size_t i = 0;

        if (page.flags == FLAG_LEAF)
            return leaf_value(&page, key, ret_bucket, ret, err);
        if (!find_element(&page, key, &i, err))
            return false;
        if (i == page.count)
            return true; /* below the smallest key */
        if (!page_at(db, little(page.bytes, PAGE_HEADER_BYTES + i * ELEMENT_BYTES + 8, 8), &page, err))
            return false;
    }
    return damaged(err, "the tree is deeper than a file can hold");
}

/* The first page of the bucket whose value this is. */
static bool bucket_page(const struct boltdb *db, struct span value, struct page *ret, struct error *err)
{
    uint64_t root;

    if (value.len < BUCKET_HEADER_BYTES)
        return damaged(err, "a bucket is cut off");
    root = little(value, 0, 8);
    if (root != 0)
        return page_at(db, root, ret, err);
    return page_of(span_cut(value, BUCKET_HEADER_BYTES, SIZE_MAX), ret, err);
}

bool boltdb_get(const struct boltdb *db, const char *const *path, size_t path_len, struct span *ret, struct error *err)
{
    struct page page;

    if (!page_at(db, db->root, &page, err))
        return false;
    for (size_t i = 0; i < path_len; i++) {
        struct span value = {NULL, 0};
        bool is_bucket = false, last = i + 1 == path_len;

        if (!tree_value(db, page, span_str(path[i]), &is_bucket, &value, err))
            return false;
        if (!value.ptr || is_bucket == last) {
            *ret = span_of(NULL, 0);
            return true;
        }
        if (last)
            *ret = value;
        else if (!bucket_page(db, value, &page, err))
            return false;
    }
    return true;
}
