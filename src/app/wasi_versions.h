#pragma once

#include <string>
#include <string_view>

namespace weft {

// What is wrong with the version of an interface of WASI's own; empty: nothing, the engine serves
// it.
std::string wasi_problem(std::string_view interface);

}  // namespace weft
