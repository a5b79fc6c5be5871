#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "toolchain/bindgen/types.h"

namespace weft::bindgen {

// A parameter in a guest's C++.
struct GuestParam {
  std::string name;
  std::string declared;  // as the function takes it
  std::string stored;    // as the bindings hold it while they pass it on
  bool by_reference = false;
  bool is_pointer = false;  // what is declared a reference is a pointer where it is stored
};

// A function in a guest's C++, and the core function behind it.
struct GuestFunction {
  GuestFunction(const Types& types, const Function& function);

  const Function& source;
  std::string result;    // "void" where there is none
  std::string returned;  // the same, as a Task where the function is async
  std::vector<GuestParam> params;
  std::string core_params;  // see flatten
  std::string core_result;
  std::size_t params_max;  // of core_params, before they go through memory

  bool is_method() const { return source.kind == FunctionKind::kMethod; }
  bool is_void() const { return result == "void"; }
  bool has_flat_params() const { return core_params.size() <= params_max; }
  // Of a function that is not async.
  bool has_flat_result() const { return core_result.size() <= 1; }

  // "std::string_view name, std::uint32_t n", without the object of a method.
  std::string declared_params() const;
  // The types that hold all of the parameters: "std::string_view, std::uint32_t".
  std::string stored_params() const;
  // "std::uint32_t p0, float p1", or "void* params".
  std::string core_declaration() const;
  // "call.i32(0), call.f32(1)": from a weft::abi::Call.
  static std::string core_arguments(const std::string& flat, bool is_flat);
};

// How a function is called where it is no method of an object: as weft's own hosts call it.
std::string free_name(const Function& function);
// A function's name, or the name of a method.
std::string member_name(const Function& function);

}  // namespace weft::bindgen
