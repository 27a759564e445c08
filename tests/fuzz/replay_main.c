/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target on no bytes, then once over each file of the corpus folders given, in name
 * order. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t replay_folder(const char *folder)
{
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    if (n < 0) {
        fprintf(stderr, "cannot read corpus '%s'\n", folder);
        exit(1);
    }
    size_t replayed = 0;
    for (int i = 0; i < n; i++) {
        CLEANUP(buf_deinit) struct buf path = BUF_INIT, data = BUF_INIT;
        buf_printf(&path, "%s/%s", folder, names[i]->d_name);
        bool hidden = names[i]->d_name[0] == '.';
        free(names[i]);
        FILE *f = hidden ? NULL : fopen(path.p, "rb");
        if (!f)
            continue;
        char piece[4096];
        for (size_t got; (got = fread(piece, 1, sizeof piece, f)) > 0;)
            buf_put_bytes(&data, piece, got);
        fclose(f);
        /* An exact copy on the heap, so that the sanitizer sees a read past the end. */
        uint8_t *exact = mem_alloc(data.len);
        if (data.len)
            memcpy(exact, data.p, data.len);
        LLVMFuzzerTestOneInput(exact, data.len);
        free(exact);
        replayed++;
    }
    free(names);
    return replayed;
}

int main(int argc, char **argv)
{
    size_t replayed = 0;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        replayed += replay_folder(argv[i]);
    printf("replayed %zu inputs\n", replayed);
    return replayed > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
