/* SPDX-License-Identifier: Apache-2.0 */
/* One command per file; main.c lists them. */
#ifndef PG_PLUGIN_CLI_COMMANDS_H
#define PG_PLUGIN_CLI_COMMANDS_H

#include "plugin/cli/cli.h"

extern const struct command command_verify;
extern const struct command command_verify_blob;
extern const struct command command_verify_blob_attestation;
extern const struct command command_verify_bundle;
extern const struct command command_verify_attestation;
extern const struct command command_check;
extern const struct command command_replay;
extern const struct command command_collect;
extern const struct command command_tree;
extern const struct command command_download_signature;
extern const struct command command_download_attestation;
extern const struct command command_download_sbom;
extern const struct command command_policy_lint;
extern const struct command command_policy_explain;
extern const struct command command_doctor;
extern const struct command command_enable;
extern const struct command command_disable;
extern const struct command command_status;
extern const struct command command_node_key_show;
extern const struct command command_node_key_rotate;
extern const struct command command_trust_init;
extern const struct command command_trust_update;
extern const struct command command_trust_import;
extern const struct command command_trust_show;
extern const struct command command_policy_convert;
extern const struct command command_audit_verify;
extern const struct command command_cache_list;
extern const struct command command_cache_renew;
extern const struct command command_cache_clear;
extern const struct command command_generate_key_pair;
extern const struct command command_import_key_pair;
extern const struct command command_public_key;
extern const struct command command_version;

#endif
