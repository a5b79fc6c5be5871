#include "toolchain/bindgen/guest_function.h"

#include <fmt/format.h>

#include "toolchain/bindgen/flat.h"
#include "toolchain/bindgen/names.h"

namespace weft::bindgen {
namespace {

GuestParam param(const Types& types, const Member& member, Form form) {
  GuestParam out;
  out.name = param_name(member.name);
  out.declared = types.spell_param(*member.type, form);
  out.by_reference = out.declared.ends_with('&');
  out.stored = types.spell(*member.type, form);
  out.is_pointer = out.by_reference && out.stored.ends_with('*');
  if (types.side() == Side::kImport && out.by_reference && !out.is_pointer) {
    out.stored = "const " + out.stored;
  }
  return out;
}

}  // namespace

GuestFunction::GuestFunction(const Types& types, const Function& function)
    : source(function), result(types.spell_result(function.result, Form::kOwned)) {
  returned = function.async ? fmt::format("::weft::Task<{}>", result) : result;
  // A coroutine's parameters are its own.
  Form form = function.async ? Form::kOwned : Form::kView;
  for (const Member& member : function.params) {
    params.push_back(param(types, member, form));
    core_params += flatten(types, member.type);
  }
  core_result = flatten(types, function.result);
  bool few = function.async && types.side() == Side::kImport;
  params_max = few ? kFlatAsyncParamsMax : kFlatParamsMax;
}

std::string GuestFunction::declared_params() const {
  std::string out;
  for (std::size_t i = is_method() ? 1 : 0; i < params.size(); ++i) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", params[i].declared, params[i].name);
  }
  return out;
}

std::string GuestFunction::stored_params() const {
  std::string out;
  for (const GuestParam& each : params) out += (out.empty() ? "" : ", ") + each.stored;
  return out;
}

std::string GuestFunction::core_declaration() const {
  if (!has_flat_params()) return "void* params";
  std::string out;
  for (std::size_t i = 0; i < core_params.size(); ++i) {
    out += fmt::format("{}{} a{}", i == 0 ? "" : ", ", core_type(core_params[i]), i);
  }
  return out;
}

std::string GuestFunction::core_arguments(const std::string& flat, bool is_flat) {
  if (!is_flat) return "call.params()";
  std::string out;
  for (std::size_t i = 0; i < flat.size(); ++i) {
    std::string_view method = flat[i] == 'l'   ? "i64"
                              : flat[i] == 'f' ? "f32"
                              : flat[i] == 'd' ? "f64"
                                               : "i32";
    out += fmt::format("{}call.{}({})", i == 0 ? "" : ", ", method, i);
  }
  return out;
}

std::string member_name(const Function& function) {
  // "exports" is where a guest finds what it implements.
  std::string name = snake_case(function.plain_name());
  return name == "exports" ? "exports_" : name;
}

std::string free_name(const Function& function) {
  switch (function.kind) {
    case FunctionKind::kConstructor: return "make_" + snake_case(function.resource);
    case FunctionKind::kStatic:
      return snake_case(function.resource + "-" + std::string(function.plain_name()));
    default: return member_name(function);
  }
}

}  // namespace weft::bindgen
