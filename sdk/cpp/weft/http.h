// wasi:http for guests: 0.3 with coroutines, or 0.2, as the world of the component has it.
#pragma once

#include "guest.h"

#ifdef GUEST_SUBTASK_STATE
#include "weft/http_p3.h"
#else
#include "weft/http_p2.h"
#endif
