/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - the unwrapped values of one series, and their order in time.  Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct sample {
    int64_t ts_ns;
    union {
        uint64_t order; /* among equal times: rank of the stream, then arrival */
        uint64_t mark;  /* once in order: a note of the window that moves over them */
    };
    double value;
};
/* Bytes of `spare` that sorting needs; 0 when they are in order already. */
size_t samples_spare_bytes(const struct sample *v, size_t n);
/* By time, then order.  Linear in n for samples that are in order or made of few parts that are. */
void samples_sort(struct sample *v, size_t n, struct sample *spare);
