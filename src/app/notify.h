/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - tells systemd (Type=notify) how the service stands.  Without $NOTIFY_SOCKET: nothing.
 * Threads: any. */
#pragma once

/* "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=..."; several are joined by newlines. */
void notify_service_manager(const char *state);
