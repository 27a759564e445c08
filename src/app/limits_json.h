/* SPDX-License-Identifier: Apache-2.0 */
/* limits_json.h - limits as a JSON object: durations and sizes as configuration text. */
#pragma once
#include "model/limits.h"

void limits_put_json(const struct limits *l, conf_keep_fn *keep, void *ctx, struct buf *out);
