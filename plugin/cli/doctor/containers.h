/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks of CRI-O and podman share: both use containers' image library. */
#ifndef PG_PLUGIN_CLI_DOCTOR_CONTAINERS_H
#define PG_PLUGIN_CLI_DOCTOR_CONTAINERS_H

#include "base/tree.h"
#include "plugin/cli/doctor/doctor.h"

bool containers_exists(struct doctor *doctor, const char *path); /* below --root */

/* Does this list of requirements name our node key? */
bool containers_demands_endorsement(const struct node *requirements);

/* policy.json at the path: trusted, reject by default, our endorsement for each registry that policies name. */
void containers_check_policy_json(struct doctor *doctor, const char *logical, const char *todo);
void containers_check_user(struct doctor *doctor);
void containers_check_endorser(struct doctor *doctor);

/* lookaside.c: registries.d loads, and leads to the endorser what policy.json wants endorsed. */
void containers_check_registries_d(struct doctor *doctor);
void containers_check_lookaside(struct doctor *doctor, const struct node *docker, const char *todo);

/* crio_images.c: images in CRI-O's storage that came without an endorsement do not start. */
void crio_check_images(struct doctor *doctor);

#endif
