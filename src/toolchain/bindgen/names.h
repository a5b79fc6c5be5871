#pragma once

#include <string>
#include <string_view>

#include "toolchain/bindgen/description.h"

namespace weft::bindgen {

// WIT's kebab-case as C++ names: "no-such-store" becomes no_such_store, NoSuchStore, kNoSuchStore.
// A name that C++ or the generated code needs for itself gets a trailing underscore.
std::string snake_case(std::string_view name);
std::string pascal_case(std::string_view name);
std::string constant_case(std::string_view name);
// snake_case for a parameter of a method, and for the function that makes a case of a variant.
std::string param_name(std::string_view name);
std::string case_name(std::string_view name);

// "::weft::wit::wasi::keyvalue_0_2_0_draft::store" without the leading colons.
std::string namespace_of(const Interface& interface);
// "wit/wasi/keyvalue_0_2_0_draft/store": where its files lie below the output folder.
std::string path_of(const Interface& interface);

}  // namespace weft::bindgen
