#include "toolchain/bindgen/flat.h"
#include "toolchain/bindgen/guest_parts.h"
#include "toolchain/bindgen/names.h"

namespace weft::bindgen {
namespace {

// A constructor that cannot fail is one of C++.
bool is_plain_constructor(const Types& types, const Function& function) {
  if (function.kind != FunctionKind::kConstructor || !function.result) return false;
  auto resolved = types.resolve(*function.result);
  return resolved.type != nullptr && resolved.type->kind == Kind::kOwn;
}

bool belongs_to(const Function& function, const Type& resource) {
  return function.kind != FunctionKind::kFree && function.resource == resource.name;
}

std::string name_in_class(const Function& function) {
  return function.kind == FunctionKind::kConstructor ? "make" : member_name(function);
}

void write_body(Text& out, const GuestFunction& function) {
  std::string arguments;
  for (std::size_t i = 0; i < function.params.size(); ++i) {
    const GuestParam& param = function.params[i];
    std::string value = param.name;
    if (function.is_method() && i == 0) value = "this";
    if (param.is_pointer) {
      value = fmt::format("p{}", i);
      out.line("  const auto* {} = {}{};", value, function.is_method() && i == 0 ? "" : "&",
               function.is_method() && i == 0 ? "this" : param.name);
    }
    arguments += (arguments.empty() ? "" : ", ") + value;
  }
  std::string held = function.stored_params();
  out.line("  ::weft::abi::Call<{}, {}{}{}> call{};", function.result, function.params_max,
           held.empty() ? "" : ", ", held, arguments.empty() ? "" : "(" + arguments + ")");
}

std::string core_call(const GuestFunction& function, std::string_view core, bool in_memory) {
  std::string arguments =
      GuestFunction::core_arguments(function.core_params, function.has_flat_params());
  if (in_memory) arguments += arguments.empty() ? "call.result()" : ", call.result()";
  return fmt::format("{}({})", core, arguments);
}

void write_async(Text& out, const GuestFunction& function, std::string_view core) {
  write_body(out, function);
  out.line("  co_await ::weft::Subtask{{{}}};", core_call(function, core, !function.is_void()));
  if (!function.is_void()) out.line("  co_return call.take();");
}

void write_sync(Text& out, const GuestFunction& function, std::string_view core,
                bool is_constructor) {
  write_body(out, function);
  std::string called = core_call(function, core, !function.has_flat_result());
  if (function.is_void()) {
    out.line("  {};", called);
  } else if (is_constructor) {
    out.line("  *this = call.take({});", called);
  } else if (function.has_flat_result()) {
    out.line("  return call.take({});", called);
  } else {
    out.line("  {};", called);
    out.line("  return call.take();");
  }
}

void write_core(Text& out, const Interface& interface, const GuestFunction& function,
                std::string_view core) {
  std::string params;
  if (function.has_flat_params()) {
    for (char letter : function.core_params) {
      params += fmt::format("{}{}", params.empty() ? "" : ", ", core_type(letter));
    }
  } else {
    params = "const void*";
  }
  bool async = function.source.async;
  bool in_memory = async ? !function.is_void() : !function.has_flat_result();
  if (in_memory) params += params.empty() ? "void*" : ", void*";
  std::string_view returned = "void";
  if (async) {
    returned = "::std::uint32_t";
  } else if (!function.is_void() && !in_memory) {
    returned = core_type(function.core_result[0]);
  }
  out.line("extern \"C\" {}",
           import_attribute(interface.name, fmt::format("{}{}", async ? "[async-lower]" : "",
                                                        function.source.name)));
  out.line("{} {}({});", returned, core, params);
}

}  // namespace

void write_imported_class(Text& out, const Types& types, const Interface& interface,
                          const Type& resource) {
  std::string name = pascal_case(resource.name);
  out.line("// A handle of {}, dropped with its owner.", resource.name);
  out.line("class {} : public ::weft::abi::Imported<{}> {{", name, name);
  out.line(" public:");
  out.line("  {}() = default;", name);
  out.line("  explicit {}(::weft::abi::Number number) : Imported(number) {{}}", name);
  for (const Function* each : functions_of(types, interface)) {
    if (!belongs_to(*each, resource)) continue;
    GuestFunction function(types, *each);
    out.line();
    out.line("  // {}", each->signature);
    if (is_plain_constructor(types, *each)) {
      out.line("  explicit {}({});", name, function.declared_params());
    } else if (each->kind == FunctionKind::kMethod) {
      out.line("  {} {}({}) const;", function.returned, name_in_class(*each),
               function.declared_params());
    } else {
      out.line("  static {} {}({});", function.returned, name_in_class(*each),
               function.declared_params());
    }
  }
  out.line();
  out.line("  static void drop_(::weft::abi::Number number);");
  out.line("}};");
  out.line();
}

void write_import_header(Text& out, const Types& types, const Interface& interface) {
  for (const Function* each : functions_of(types, interface)) {
    if (each->kind != FunctionKind::kFree) continue;
    GuestFunction function(types, *each);
    out.line("// {}", each->signature);
    out.line("{} {}({});", function.returned, free_name(*each), function.declared_params());
    out.line();
  }
}

void write_import_source(Text& out, const Types& types, const Interface& interface, int& number) {
  std::string space = "::" + namespace_of(interface);
  Types full = types.in_full();
  for (const Function* each : functions_of(types, interface)) {
    GuestFunction function(full, *each);
    std::string core = fmt::format("weft_import_{}", number++);
    write_core(out, interface, function, core);
    std::string resource = space + "::" + pascal_case(each->resource);
    bool constructs = is_plain_constructor(types, *each);
    if (constructs) {
      out.line("{}::{}({}) {{", resource, pascal_case(each->resource), function.declared_params());
    } else if (each->kind == FunctionKind::kFree) {
      // Brackets, for the result's name may end where that of the function begins.
      out.line("auto {}::{}({}) -> {} {{", space, free_name(*each), function.declared_params(),
               function.returned);
    } else {
      out.line("auto {}::{}({}){} -> {} {{", resource, name_in_class(*each),
               function.declared_params(), function.is_method() ? " const" : "", function.returned);
    }
    if (each->async) {
      write_async(out, function, core);
    } else {
      write_sync(out, function, core, constructs);
    }
    out.line("}}");
    out.line();
  }
  for (const Type& type : interface.types) {
    if (type.kind != Kind::kResource) continue;
    std::string core = fmt::format("weft_import_{}", number++);
    out.line("extern \"C\" {}", import_attribute(interface.name, "[resource-drop]" + type.name));
    out.line("void {}(::std::uint32_t);", core);
    out.line("void {}::{}::drop_(::weft::abi::Number number) {{", space, pascal_case(type.name));
    out.line("  {}(number.value);", core);
    out.line("}}");
    out.line();
  }
}

}  // namespace weft::bindgen
