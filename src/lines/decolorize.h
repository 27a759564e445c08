/* SPDX-License-Identifier: Apache-2.0 */
/* decolorize.h - `| decolorize`: the line without its ANSI escape sequences. */
#pragma once
#include "base/arena.h"
#include "base/str_view.h"

/* The line itself where it holds none. */
struct str_view decolorize(struct str_view line, struct arena *scratch);
