/* SPDX-License-Identifier: Apache-2.0 */
/* The few things a service manager is told and tells: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3), without
 * it. */
#ifndef PG_PLUGIN_ENGINE_NOTIFY_H
#define PG_PLUGIN_ENGINE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Reads the environment once. What we start gets a clean one, and cannot answer in our name. */
void notify_init(void);
/* "READY=1" and so on; nothing happens without a service manager. */
void notify_send(const char *state);
/* The one listening socket handed over; -1 = none. */
int notify_listen_socket(void);
/* How often the watchdog wants to hear of us, halved; 0 = never. */
int64_t notify_watchdog_ms(void);

#endif
