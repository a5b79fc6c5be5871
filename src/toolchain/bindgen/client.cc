#include "toolchain/bindgen/names.h"
#include "toolchain/bindgen/parts.h"

namespace weft::bindgen {
namespace {

// A client is one class for all functions of the interface: bucket_get, make_cursor, open.
std::string method_name(const Function& function) {
  std::string plain(function.plain_name());
  switch (function.kind) {
    case FunctionKind::kFree: return snake_case(plain);
    case FunctionKind::kConstructor: return "make_" + snake_case(function.resource);
    default: return snake_case(function.resource + "-" + plain);
  }
}

// A named type that owns a resource holds the host's form of it, which a client has no use for.
bool is_offered(const Types& types, const Function& function) {
  if (types.hides_resources(function.result)) return false;
  for (const Member& param : function.params) {
    if (types.hides_resources(param.type)) return false;
  }
  return true;
}

std::string signature(const Types& types, const Function& function, std::string_view scope) {
  std::string params;
  for (const Member& param : function.params) {
    params += fmt::format("{} {}, ", types.spell_param(*param.type, Form::kViewHandles),
                          param_name(param.name));
  }
  return fmt::format("::weft::Task<{}> {}{}({}::weft::Deadline deadline)",
                     types.spell_result(function.result, Form::kOwnedHandles), scope,
                     method_name(function), params);
}

}  // namespace

void write_client_header(Text& out, const Types& types, const Interface& interface) {
  out.line("// Calls the functions of {} through links, for one context.", interface.name);
  out.line("//");
  out.line(
      "// What is passed need not outlive the call of a method. The client outlives its tasks.");
  out.line("class Client : public ::weft::ClientBase {{");
  out.line(" public:");
  out.line("  // `links` by the functions' numbers; null for those that are never called.");
  out.line("  using ClientBase::ClientBase;");
  for (const Function& function : interface.functions) {
    out.line();
    if (is_offered(types, function)) {
      out.line("  {};", signature(types, function, ""));
    } else {
      out.line("  // Not offered, a named type of it owns a resource: {}", function.name);
    }
  }
  out.line("}};");
  out.line();
}

void write_client_source(Text& out, const Types& types, const Interface& interface) {
  for (std::size_t i = 0; i < interface.functions.size(); ++i) {
    const Function& function = interface.functions[i];
    if (!is_offered(types, function)) continue;
    out.line("{} {{", signature(types, function, "Client::"));
    out.line("  ::weft::Arguments arguments_(this->context());");
    for (const Member& param : function.params) {
      out.line("  arguments_.out.write({});", param_name(param.name));
    }
    out.line("  return call<{}>({}, ::std::move(arguments_).end(), deadline);",
             types.spell_result(function.result, Form::kOwnedHandles), i);
    out.line("}}");
    out.line();
  }
}

}  // namespace weft::bindgen
