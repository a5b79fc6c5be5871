#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "toolchain/bindgen/types.h"

namespace weft::bindgen {

// How many core values the parameters of a function may be: more of them go through memory.
inline constexpr std::size_t kFlatParamsMax = 16;
inline constexpr std::size_t kFlatAsyncParamsMax = 4;

// The core values a type flattens to in the canonical ABI, a letter each: i, l, f and d for i32,
// i64, f32 and f64. Cut short where there are more than kFlatParamsMax.
std::string flatten(const Types& types, const std::optional<TypeRef>& ref);

// How C++ for wasm32 spells the core value of a letter.
std::string_view core_type(char letter);

}  // namespace weft::bindgen
