/* SPDX-License-Identifier: Apache-2.0 */
/* What the system says of this process, under the names that dashboards know. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"

static int64_t read_statm(unsigned field)
{
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    long long values[2] = {0, 0};
    int n = fscanf(f, "%lld %lld", &values[0], &values[1]);
    fclose(f);
    return n == 2 ? values[field] * sysconf(_SC_PAGESIZE) : 0;
}

static int64_t virtual_bytes(void)
{
    return read_statm(0);
}

static int64_t resident_bytes(void)
{
    return read_statm(1);
}

static int64_t cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

static int64_t open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    int64_t n = -3; /* ".", ".." and the folder itself */
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

GAUGE_READ(virtual_gauge, "process_virtual_memory_bytes", "Virtual memory", virtual_bytes);
GAUGE_READ(resident_gauge, "process_resident_memory_bytes", "Resident memory", resident_bytes);
METRIC_DEFINE(cpu_counter, .name = "process_cpu_seconds_total",
              .help = "User and system time spent", .kind = METRIC_COUNTER, .read = cpu_us,
              .scale = 1e-6);
GAUGE_READ(fds_gauge, "process_open_fds", "Open descriptors", open_fds);
COUNTER(panics, "loki_panic_total", "Always 0: a broken promise of ours ends the process");
