/* SPDX-License-Identifier: Apache-2.0 */
/* tenant_label.h - the label that tells the streams of several tenants apart in one answer
 * (http-api.md 3.3).  Pure. */
#pragma once
#include "base/arena.h"
#include "model/labels.h"

#define TENANT_LABEL "__tenant_id__"

/* Adds the label; one of that name that was there already becomes original___tenant_id__. */
struct labels tenant_label_add(struct arena *a, struct labels l, struct str_view tenant);
