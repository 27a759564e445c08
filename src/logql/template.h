/* SPDX-License-Identifier: Apache-2.0 */
/* template.h - what the parser needs of the template engine: is this text a valid template?
 * The error text is the cause alone: `template: line:1: function "nope" not defined`. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str_view.h"

struct template;

int template_parse(struct arena *a, struct str_view text, struct template **ret, struct err *err);
