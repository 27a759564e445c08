/* SPDX-License-Identifier: Apache-2.0 */
/* apis.h - the handlers of the read path; ctx is the struct querier.  Only querier.c routes them.
 * Threads: HTTP workers. */
#pragma once
#include "http/server.h"

http_handler query_api_range, query_api_instant, query_api_legacy;
http_handler labels_api_names, labels_api_values, labels_api_series;
http_handler labels_api_legacy_names, labels_api_legacy_values;
http_handler stats_api_stats, stats_api_volume, stats_api_volume_range;
http_handler format_api_format;
