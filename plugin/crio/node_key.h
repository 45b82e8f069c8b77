/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's own key: ECDSA P-256, made on first use, root's alone (0600), never leaves the node. Its public half lies
 * beside it for policy.json; both are out of /etc/pullguard/keys, so that it is never taken for a vendor's key.
 * Replacing it revokes every endorsement made before (the create-time check of CRI-O fails for what was pulled under
 * it).
 */
#ifndef PG_PLUGIN_CRIO_NODE_KEY_H
#define PG_PLUGIN_CRIO_NODE_KEY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/attributes.h"
#include "base/error.h"
#include "crypto/privkey.h"

#define NODE_KEY_PATH PG_STATEDIR "/node-key.pem"
#define NODE_KEY_PUBLIC_PATH PG_STATEDIR "/node-key.pub"

/*
 * Instead of the key itself the file may hold the PEM block of an OpenSSL provider (a TPM's, or PKCS#11's): the key
 * then stays in its device (device.h), and is rotated by whoever made it. Which provider, and how it is reached, is
 * OpenSSL's configuration alone.
 *
 * Reads the key, or makes it when there is none; *ret is NULL when it is in a device. UNTRUSTED_FILE when others may
 * write it; IO, MALFORMED.
 */
bool node_key_open(const char *root, struct privkey **ret, struct error *err) MUST_CHECK;

/* Appends its signature (privkey_sign). key: what node_key_open gave. */
bool node_key_sign(const char *root, const struct privkey *key, struct span message, struct buf *ret,
                   struct error *err) MUST_CHECK;

/* Has a device sign once, so that it is known to answer; *ret is the public half, which lies beside the key then. */
bool node_key_check(const char *root, struct pubkey **ret, struct error *err) MUST_CHECK;

/* Is the key's file another one than *seen, which then is it? false when there is none. */
bool node_key_changed(const char *root, struct stat *seen);

/* Makes a new key in place of the old one, private half first. */
bool node_key_rotate(const char *root, struct error *err) MUST_CHECK;

#endif
