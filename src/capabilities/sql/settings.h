#pragma once

#include "base/error.h"
#include "capabilities/capability.h"
#include "capabilities/sql/database.h"

namespace weft::sql {

// `statement-timeout` and `idle-timeout`, which every driver takes.
Result<Times> times_of(const DriverChoice& choice);

}  // namespace weft::sql
