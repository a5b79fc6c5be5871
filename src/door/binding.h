#pragma once

// What the generated host side of an interface is made of.

#include <array>
#include <span>
#include <string_view>

#include "door/answer.h"
#include "door/call.h"
#include "door/values.h"

namespace weft {

// One function of a generated interface. Its place in the interface's table is its ordinal.
struct FunctionInfo {
  std::string_view name;
  std::string_view signature;
  bool plain;
  bool async;
};

// The entry `ordinal` of an interface's table, for a Link.
Function make_function(std::string_view interface, std::span<const FunctionInfo> functions,
                       std::size_t ordinal);

// Fails a call whose arguments do not read back.
void reject(Completion done, Reader& arguments);
// Fails a call of a function that the binding does not have: the link was made wrongly.
void reject_unknown(Completion done);

}  // namespace weft
