#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "engine/runtime.h"

namespace weft::node::runs {

// The number of the function that is meant by "pkg:name/iface@1.0.0#func", whose version may be
// left out, when `arguments` are encoded as its type says. kNotFound: there is none. kUnsupported:
// it takes or gives more than plain values. kInvalid: the arguments are of another type.
Result<std::uint32_t> find_call(std::span<const ExportedFunction> exports,
                                std::string_view function, BytesView arguments);

}  // namespace weft::node::runs
