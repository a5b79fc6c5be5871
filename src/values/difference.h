#pragma once

#include <optional>
#include <string>

#include "values/type.h"

namespace weft {

// Where two types of one function first differ, for people: "parameter p, field y: wanted s32,
// offered s64". Nothing: they are alike.
std::optional<std::string> difference(const Signature& wanted, const Signature& offered);
std::optional<std::string> difference(const Type& wanted, const Type& offered);

}  // namespace weft
