/* SPDX-License-Identifier: Apache-2.0 */
/* analyse.h - from a tree to its literals (see literal.h). */
#pragma once
#include "base/arena.h"
#include "regex/literal.h"
#include "regex/syntax.h"

/* Everything in *ret lives in the arena. */
void analyse_tree(struct regex_literals *ret, struct arena *arena, const struct node *root);
