#include "toolchain/bindgen/flat.h"
#include "toolchain/bindgen/guest_parts.h"
#include "toolchain/bindgen/names.h"

namespace weft::bindgen {
namespace {

// What a call passes on, by the names of the parts that the parameters were taken apart into.
std::string arguments(const GuestFunction& function) {
  std::string out;
  for (std::size_t i = function.is_method() ? 1 : 0; i < function.params.size(); ++i) {
    const GuestParam& param = function.params[i];
    std::string value = fmt::format("p{}", i);
    if (param.is_pointer) {
      value = "*" + value;
    } else if (!param.by_reference) {
      value = fmt::format("::std::move({})", value);
    }
    out += (out.empty() ? "" : ", ") + value;
  }
  return out;
}

std::string call_of(const Interface& interface, const GuestFunction& function) {
  if (function.is_method()) {
    return fmt::format("p0->{}({})", member_name(function.source), arguments(function));
  }
  return fmt::format("::{}::exports::{}({})", namespace_of(interface), free_name(function.source),
                     arguments(function));
}

// From core values, or from the memory that they are in, to p0, p1 ...
void write_params(Text& out, const GuestFunction& function) {
  if (function.params.empty()) return;
  std::string names;
  for (std::size_t i = 0; i < function.params.size(); ++i) {
    names += fmt::format("{}p{}", i == 0 ? "" : ", ", i);
  }
  out.line("  ::weft::abi::Kept kept;");
  if (function.has_flat_params()) {
    std::string slots;
    for (std::size_t i = 0; i < function.core_params.size(); ++i) {
      slots += fmt::format("{}::weft::abi::to_slot(a{})", i == 0 ? "" : ", ", i);
    }
    out.line("  const ::std::uint64_t flat[] = {{{}}};", slots);
    out.line("  auto [{}] = ::weft::abi::lift_params<{}>(flat, kept);", names,
             function.stored_params());
  } else {
    out.line("  auto [{}] = ::weft::abi::load_params<{}>(params, kept);", names,
             function.stored_params());
  }
}

void write_sync(Text& out, const Interface& interface, const GuestFunction& function, int number) {
  std::string name = export_prefix(interface) + function.source.name;
  std::string called = call_of(interface, function);
  std::string_view core = "void*";
  if (function.is_void()) core = "void";
  if (!function.is_void() && function.has_flat_result()) core = core_type(function.core_result[0]);
  out.line("extern \"C\" {}", export_attribute(name));
  out.line("{} weft_export_{}({}) {{", core, number, function.core_declaration());
  write_params(out, function);
  if (function.is_void()) {
    out.line("  {};", called);
  } else if (function.has_flat_result()) {
    out.line("  return ::weft::abi::lower_result<{}, {}>({});", core, function.result, called);
  } else {
    out.line("  return ::weft::abi::Returned<{}>::hold({});", function.result, called);
  }
  out.line("}}");
  if (!function.is_void() && !function.has_flat_result()) {
    out.line("extern \"C\" {}", export_attribute("cabi_post_" + name));
    out.line("void weft_post_{}(void*) {{", number);
    out.line("  ::weft::abi::Returned<{}>::release();", function.result);
    out.line("}}");
  }
  out.line();
}

// The coroutine of a call. What was lent is let go of before the caller has its result.
void write_coroutine(Text& out, const Interface& interface, const GuestFunction& function,
                     int number) {
  bool is_flat = function.core_result.size() <= kFlatParamsMax;
  std::string core;
  if (!is_flat) core = "const void*";
  for (std::size_t i = 0; is_flat && i < function.core_result.size(); ++i) {
    core += fmt::format("{}{}", i == 0 ? "" : ", ", core_type(function.core_result[i]));
  }
  out.line("extern \"C\" {}",
           import_attribute("[export]" + interface.name, "[task-return]" + function.source.name));
  out.line("void weft_return_{}({});", number, core);
  std::string params;
  for (std::size_t i = 0; i < function.params.size(); ++i) {
    params += fmt::format("{}{} p{}", i == 0 ? "" : ", ", function.params[i].stored, i);
  }
  out.line("static ::weft::Task<> weft_run_{}({}) {{", number, params);
  out.line("  {}co_await {};",
           function.is_void() ? "" : function.result + " result = ", call_of(interface, function));
  for (std::size_t i = 0; i < function.params.size(); ++i) {
    if (function.params[i].is_pointer) continue;
    out.line("  {{ [[maybe_unused]] auto over = ::std::move(p{}); }}", i);
  }
  if (function.is_void()) {
    out.line("  weft_return_{}();", number);
  } else {
    out.line("  ::weft::abi::Call<void, {}, {}> call(result);", kFlatParamsMax, function.result);
    out.line("  weft_return_{}({});", number,
             GuestFunction::core_arguments(function.core_result, is_flat));
  }
  out.line("}}");
}

void write_async(Text& out, const Interface& interface, const GuestFunction& function, int number) {
  std::string name = export_prefix(interface) + function.source.name;
  write_coroutine(out, interface, function, number);
  out.line("extern \"C\" {}", export_attribute("[async-lift]" + name));
  out.line("::std::uint32_t weft_export_{}({}) {{", number, function.core_declaration());
  write_params(out, function);
  std::string moved;
  for (std::size_t i = 0; i < function.params.size(); ++i) {
    moved += fmt::format("{}::std::move(p{})", i == 0 ? "" : ", ", i);
  }
  out.line("  return ::weft::run_export([&] {{ return weft_run_{}({}); }});", number, moved);
  out.line("}}");
  out.line("extern \"C\" {}", export_attribute("[callback][async-lift]" + name));
  out.line("::std::uint32_t weft_callback_{}(::std::uint32_t event, ::std::uint32_t waitable,",
           number);
  out.line("                                 ::std::uint32_t code) {{");
  out.line("  return ::weft::continue_export(event, waitable, code);");
  out.line("}}");
  out.line();
}

void write_resource(Text& out, const Interface& interface, const Type& resource, int number) {
  std::string name =
      fmt::format("::{}::exports::{}", namespace_of(interface), pascal_case(resource.name));
  std::string module = "[export]" + interface.name;
  out.line("extern \"C\" {}", import_attribute(module, "[resource-new]" + resource.name));
  out.line("::std::uint32_t weft_new_{}({}*);", number, name);
  out.line("extern \"C\" {}", import_attribute(module, "[resource-rep]" + resource.name));
  out.line("{}* weft_object_{}(::std::uint32_t);", name, number);
  out.line("extern \"C\" {}", import_attribute(module, "[resource-drop]" + resource.name));
  out.line("void weft_drop_{}(::std::uint32_t);", number);
  out.line("auto {}::new_({}* object) -> ::std::uint32_t {{", name, name);
  out.line("  return weft_new_{}(object);", number);
  out.line("}}");
  out.line("auto {}::object_(::weft::abi::Number number) -> {}* {{", name, name);
  out.line("  return weft_object_{}(number.value);", number);
  out.line("}}");
  out.line("void {}::drop_(::weft::abi::Number number) {{", name);
  out.line("  weft_drop_{}(number.value);", number);
  out.line("}}");
  out.line("extern \"C\" {}",
           export_attribute(fmt::format("{}[dtor]{}", export_prefix(interface), resource.name)));
  out.line("void weft_destroy_{}({}* object) {{", number, name);
  out.line("  if (!object->kept_) delete object;");
  out.line("}}");
  out.line();
}

}  // namespace

void write_exported_class(Text& out, const Types& types, const Interface& interface,
                          const Type& resource) {
  std::string name = pascal_case(resource.name);
  out.line("// What a handle of {} stands for: destroyed when the last owner drops the handle.",
           resource.name);
  out.line("class {} : public ::weft::abi::Exported {{", name);
  out.line(" public:");
  for (const Function* each : functions_of(types, interface)) {
    if (each->kind != FunctionKind::kMethod || each->resource != resource.name) continue;
    GuestFunction function(types, *each);
    out.line("  // {}", each->signature);
    out.line("  virtual {} {}({}) = 0;", function.returned, member_name(*each),
             function.declared_params());
    out.line();
  }
  out.line("  static ::std::uint32_t new_({}* object);", name);
  out.line("  static {}* object_(::weft::abi::Number number);", name);
  out.line("  static void drop_(::weft::abi::Number number);");
  out.line("}};");
  out.line();
}

void write_export_header(Text& out, const Types& types, const Interface& interface) {
  for (const Function* each : functions_of(types, interface)) {
    if (each->kind == FunctionKind::kMethod) continue;
    GuestFunction function(types, *each);
    out.line("// {}", each->signature);
    out.line("{} {}({});", function.returned, free_name(*each), function.declared_params());
    out.line();
  }
}

void write_export_source(Text& out, const Types& types, const Interface& interface, int& number) {
  Types full = types.in_full();
  for (const Type& type : interface.types) {
    if (type.kind == Kind::kResource) write_resource(out, interface, type, number++);
  }
  for (const Function* each : functions_of(types, interface)) {
    GuestFunction function(full, *each);
    if (each->async) {
      write_async(out, interface, function, number++);
    } else {
      write_sync(out, interface, function, number++);
    }
  }
}

}  // namespace weft::bindgen
