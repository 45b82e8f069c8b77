/* SPDX-License-Identifier: Apache-2.0 */
/* What the auth helper says to the endorser: one message (base/wire.h) on a socket only root may open. */
#ifndef PG_PLUGIN_CRIO_CONTROL_H
#define PG_PLUGIN_CRIO_CONTROL_H

#define CONTROL_SOCKET PG_RUNDIR "/endorser.sock"

enum control_type { CONTROL_PULL = 1 };
enum control_tag { CONTROL_TAG_JSON = 1 };

#endif
