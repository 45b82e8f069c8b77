/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node key in a device (a TPM, a PKCS#11 token, whatever an OpenSSL provider speaks to). It is opened by a process
 * of its own for each signature: a provider's handles do not outlive a fork, and a device that does not answer cannot
 * be interrupted, only left. One at a time on this node: a TPM has places for three objects, and without a resource
 * manager whoever comes meanwhile takes them.
 */
#ifndef PG_PLUGIN_CRIO_DEVICE_H
#define PG_PLUGIN_CRIO_DEVICE_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"

struct device_answer {
    struct buf signature;
    struct buf public_pem; /* the public half that it verifies with */
};
#define DEVICE_ANSWER_INIT {.signature = BUF_INIT(LIMIT_SIGNATURE_BYTES), .public_pem = BUF_INIT(LIMIT_KEY_FILE_BYTES)}

/*
 * By the key that the file at path names. TIMEOUT when the device is silent or busy for others for eight seconds,
 * UNAVAILABLE when a provider ends the process, UNSUPPORTED when none takes the key.
 */
bool device_sign(const char *path, struct span message, struct device_answer *ret, struct error *err) MUST_CHECK;
void device_answer_done(struct device_answer *answer);

#endif
