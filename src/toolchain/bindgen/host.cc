#include "toolchain/bindgen/host_method.h"
#include "toolchain/bindgen/names.h"
#include "toolchain/bindgen/parts.h"

namespace weft::bindgen {
namespace {

// The C++ method of a function: a resource's own for its methods, the host's for everything else.
std::string method_name(const Function& function) {
  switch (function.kind) {
    case FunctionKind::kConstructor: return "make_" + snake_case(function.resource);
    case FunctionKind::kStatic:
      return snake_case(function.resource + "-" + std::string(function.plain_name()));
    default: return snake_case(function.plain_name());
  }
}

std::size_t first_param(const Function& function) {
  return function.kind == FunctionKind::kMethod ? 1 : 0;
}

void write_method(Text& out, const Types& types, const Function& function) {
  out.line("  // {}", function.signature);
  out.line("  virtual {} = 0;", host_method(types, function));
}

// Whether a parameter keeps resources that are lent: borrow<T>, or a list or an option of them.
bool is_lent(const Types& types, const TypeRef& ref) {
  std::string spelled = types.spell(ref, Form::kView);
  return spelled.ends_with('*') || spelled.ends_with("*>");
}

void write_dispatch(Text& out, const Types& types, const Function& function, std::size_t ordinal) {
  out.line("    case {}: {{  // {}", ordinal, function.name);
  std::string arguments = "call";
  std::string lent;
  for (std::size_t i = 0; i < function.params.size(); ++i) {
    const TypeRef& type = *function.params[i].type;
    std::string spelled = types.spell(type, Form::kView);
    out.line("      auto p{} = in.read<{}>();", i, spelled);
    if (is_lent(types, type)) lent += fmt::format(", p{}", i);
    if (i < first_param(function)) continue;
    if (types.is_borrow(type)) {
      arguments += fmt::format(", *p{}", i);
    } else if (is_lent(types, type)) {
      arguments += fmt::format(", p{}", i);
    } else {
      arguments += fmt::format(", ::std::move(p{})", i);
    }
  }
  out.line("      if (::weft::Result<void> end = in.end(); !end) [[unlikely]] break;");
  out.line("      return ::weft::finish(::std::move(done), {}{}({}){});",
           function.kind == FunctionKind::kMethod ? "p0->" : "host_.", method_name(function),
           arguments, lent);
  out.line("    }}");
}

}  // namespace

std::string host_method(const Types& types, const Function& function) {
  std::string params = "::weft::Call& call";
  for (std::size_t i = first_param(function); i < function.params.size(); ++i) {
    const Member& param = function.params[i];
    params +=
        fmt::format(", {} {}", types.spell_param(*param.type, Form::kView), param_name(param.name));
  }
  return fmt::format("::weft::Answer<{}> {}({})", types.spell_result(function.result, Form::kOwned),
                     method_name(function), params);
}

void write_resource_class(Text& out, const Types& types, const Interface& interface,
                          const Type& resource) {
  std::string name = pascal_case(resource.name);
  out.line("// What a handle of {} stands for: the guest's table owns it until the guest drops the",
           resource.name);
  out.line("// handle. Used on the instance's loop only.");
  out.line("class {} : public ::weft::Resource {{", name);
  out.line(" public:");
  out.line("  static constexpr char kName[] = \"{}.{}\";", interface.name, resource.name);
  out.line("  static constexpr ::weft::ResourceKind kKind = kName;");
  for (const Function& function : interface.functions) {
    if (function.kind != FunctionKind::kMethod || function.resource != resource.name) continue;
    out.line();
    write_method(out, types, function);
  }
  out.line("}};");
  out.line();
}

void write_host_header(Text& out, const Types& types, const Interface& interface) {
  out.line(
      "// The functions in the order of their numbers: a Function's ordinal is a place in here.");
  out.line("inline constexpr ::std::array<::weft::FunctionInfo, {}> kFunctions{{{{",
           interface.functions.size());
  for (const Function& function : interface.functions) {
    bool plain = !types.carries_handles(function.result);
    for (const Member& param : function.params) plain = plain && !types.carries_handles(param.type);
    out.line("    {{\"{}\",", function.name);
    out.line("     \"{}\", {}, {}}},", function.signature, plain, function.async);
  }
  out.line("}}}};");
  out.line();
  out.line("// Serves {}. One object per loop, used by all instances there.", interface.name);
  out.line("class Host {{");
  out.line(" public:");
  out.line("  virtual ~Host() = default;");
  for (const Function& function : interface.functions) {
    if (function.kind == FunctionKind::kMethod) continue;
    out.line();
    write_method(out, types, function);
  }
  out.line("}};");
  out.line();
  out.line(
      "// Reads the arguments of a call, calls the host or the resource, writes what it answers.");
  out.line("class Binding : public ::weft::Provider {{");
  out.line(" public:");
  out.line("  // `host` outlives the binding.");
  out.line("  explicit Binding(Host& host) : host_(host) {{}}");
  out.line("  void begin(::weft::Call& call, ::weft::Completion done) override;");
  out.line();
  out.line(" private:");
  out.line("  [[maybe_unused]] Host& host_;");
  out.line("}};");
  out.line();
}

void write_host_source(Text& out, const Types& types, const Interface& interface) {
  out.line("void Binding::begin(::weft::Call& call, ::weft::Completion done) {{");
  out.line("  ::weft::Reader in(call.arguments(), &call.context().resources());");
  out.line("  switch (call.function().ordinal) {{");
  for (std::size_t i = 0; i < interface.functions.size(); ++i) {
    write_dispatch(out, types, interface.functions[i], i);
  }
  out.line("    default: return ::weft::reject_unknown(::std::move(done));");
  out.line("  }}");
  out.line("  ::weft::reject(::std::move(done), in);");
  out.line("}}");
  out.line();
}

}  // namespace weft::bindgen
