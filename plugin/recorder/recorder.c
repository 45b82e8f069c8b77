/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/recorder/recorder.h"

void recorder_decision(const char *root, const struct settings *settings, const struct request *request,
                       const struct response *response)
{
    (void)root;
    (void)settings;
    (void)request;
    (void)response;
}
