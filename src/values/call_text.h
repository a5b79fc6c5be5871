#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"

namespace weft {

// A function of a component, by its interface's name (empty for one of the world itself) and its
// own.
struct FunctionName {
  std::string_view interface;
  std::string_view name;

  std::string text() const;
  friend bool operator==(const FunctionName&, const FunctionName&) = default;
};

// "pkg:name/iface@1.0.0#func(args)" cut up, with views of the text. The arguments are not looked
// at.
struct CallText {
  FunctionName function;
  std::optional<std::size_t> arguments;  // Where their bracket is.
};
Result<CallText> cut_call(std::string_view text);

// The number of the function that is meant: the one of that name, or else the only one that has it
// in some version of the interface. The error names those that may have been meant.
Result<std::size_t> find_function(std::span<const FunctionName> known, const FunctionName& wanted);

}  // namespace weft
