#pragma once

#include <string>

#include "toolchain/bindgen/types.h"

namespace weft::bindgen {

// A method of a host or of one of its resources as it is declared, without `virtual`:
// "::weft::Answer<void> set(::weft::Call& call, ::std::string_view key)".
std::string host_method(const Types& types, const Function& function);

}  // namespace weft::bindgen
