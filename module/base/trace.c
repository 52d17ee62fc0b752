// SPDX-License-Identifier: GPL-2.0
/* The tracepoints of base/trace.h. They are here so that each layer may use them. */
#define CREATE_TRACE_POINTS
#include "base/trace.h"
