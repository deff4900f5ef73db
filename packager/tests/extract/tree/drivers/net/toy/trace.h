// SPDX-License-Identifier: MIT
#undef TRACE_SYSTEM
#define TRACE_SYSTEM toy
#define TRACE_INCLUDE_PATH ../../drivers/net/toy
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
