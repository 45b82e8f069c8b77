/* SPDX-License-Identifier: Apache-2.0 */
/* A start gate knows a container, not an image: which image is it? From the runtime's own records on this node. */
#ifndef PG_PLUGIN_ENGINE_START_IMAGE_H
#define PG_PLUGIN_ENGINE_START_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/file.h"
#include "plugin/engine/sandbox.h"
#include "plugin/engine/settings.h"
#include "plugin/message.h"

/*
 * For OPERATION_CREATE without a digest: sets reference and digest of the request. ret_others gets further names of the
 * image, any of which may be the one that the container was created under. The records are read as root and
 * parsed in a child under the judge's sandbox. NOT_FOUND for a container that no record names, and for an image that
 * was never pulled.
 */
bool start_image_find(const char *root, const struct settings *settings, const struct sandbox *sandbox,
                      int64_t deadline, struct request *request, struct names *ret_others,
                      struct error *err) MUST_CHECK;

#endif
