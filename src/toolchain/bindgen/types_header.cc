#include "toolchain/bindgen/names.h"
#include "toolchain/bindgen/parts.h"

namespace weft::bindgen {
namespace {

void write_enum(Text& out, const Type& type) {
  std::string name = pascal_case(type.name);
  out.line("enum class {} : ::std::uint{}_t {{", name, type.members.size() <= 256 ? 8 : 32);
  for (const Member& member : type.members) out.line("  {},", constant_case(member.name));
  out.line("}};");
  out.line("// The name as WIT spells it.");
  out.line("::std::string_view to_string({} value);", name);
  out.line();
}

void write_record(Text& out, const Types& types, const Type& type) {
  std::string name = pascal_case(type.name);
  out.line("struct {} {{", name);
  for (const Member& member : type.members) {
    out.line("  {} {}{{}};", types.spell(*member.type, Form::kOwned), snake_case(member.name));
  }
  out.line("  friend bool operator==(const {0}&, const {0}&) = default;", name);
  out.line("}};");
  out.line();
}

void write_flags(Text& out, const Type& type) {
  std::string name = pascal_case(type.name);
  out.line("struct {} {{", name);
  for (const Member& member : type.members)
    out.line("  bool {} : 1 = false;", snake_case(member.name));
  out.line("  friend bool operator==(const {0}&, const {0}&) = default;", name);
  out.line("}};");
  out.line();
}

// One struct a case inside one struct for the variant: a case without payload is a value like any
// other, and two cases may carry the same type. A payload has no initializer of its own: with one
// the case has no default constructor before the variant's struct is whole, so neither has its
// variant.
void write_variant(Text& out, const Types& types, const Type& type) {
  std::string name = pascal_case(type.name);
  out.line("struct {} {{", name);
  std::string all;
  for (const Member& member : type.members) {
    std::string alternative = pascal_case(member.name);
    if (alternative == name) alternative += '_';
    all += (all.empty() ? "" : ", ") + alternative;
    out.line("  struct {} {{", alternative);
    if (member.type) out.line("    {} value;", types.spell(*member.type, Form::kOwned));
    out.line("    friend bool operator==(const {0}&, const {0}&) = default;", alternative);
    out.line("  }};");
  }
  out.line();
  out.line("  ::std::variant<{}> variant;", all);
  out.line();
  for (const Member& member : type.members) {
    std::string alternative = pascal_case(member.name);
    if (alternative == name) alternative += '_';
    if (member.type) {
      out.line("  static {} {}({} value) {{ return {{{}{{::std::move(value)}}}}; }}", name,
               case_name(member.name), types.spell(*member.type, Form::kOwned), alternative);
    } else {
      out.line("  static {} {}() {{ return {{{}{{}}}}; }}", name, case_name(member.name),
               alternative);
    }
  }
  out.line();
  out.line("  template <class Case>");
  out.line("  bool is() const {{ return ::std::holds_alternative<Case>(variant); }}");
  out.line("  // The case, or null when it is another.");
  out.line("  template <class Case>");
  out.line("  Case* as() {{ return ::std::get_if<Case>(&variant); }}");
  out.line("  template <class Case>");
  out.line("  const Case* as() const {{ return ::std::get_if<Case>(&variant); }}");
  out.line("  // Calls the one of the functions that takes the case.");
  out.line("  template <class... F>");
  out.line("  decltype(auto) match(F&&... functions) const {{");
  out.line(
      "    return ::std::visit(::weft::Overload{{::std::forward<F>(functions)...}}, variant);");
  out.line("  }}");
  out.line("  ::std::size_t index() const {{ return variant.index(); }}");
  out.line("  friend bool operator==(const {0}&, const {0}&) = default;", name);
  out.line("}};");
  out.line();
}

void write_alias(Text& out, const Types& types, const Type& type) {
  TypeRef self{.primitive = {}, .id = type.id};
  auto resolved = types.resolve(self);
  std::string name = pascal_case(type.name);
  // In full: the short name is the one that is being given.
  std::string target = types.in_full().spell(self, Form::kOwned);
  if (resolved.type != nullptr && resolved.type->kind == Kind::kResource) {
    target = types.in_full().name(*resolved.interface, *resolved.type);
    auto pipe = pipe_of(*resolved.interface, *resolved.type);
    if (types.side() == Side::kHost && !pipe.empty()) target = pipe;
  }
  out.line("using {} = {};", name, target);
}

}  // namespace

void write_types(Text& out, const Types& types, const Interface& interface,
                 const std::function<bool(const Type&)>& wanted,
                 const std::function<void(const Type&)>& write_resource) {
  auto skip = [&](const Type& type) { return type.name.empty() || !wanted(type); };
  for (const Type& type : interface.types) {
    if (skip(type)) continue;
    if (type.kind == Kind::kResource) out.line("class {};", pascal_case(type.name));
    if (type.kind == Kind::kRecord || type.kind == Kind::kVariant || type.kind == Kind::kFlags) {
      out.line("struct {};", pascal_case(type.name));
    }
  }
  out.line();
  for (const Type& type : interface.types) {
    if (!skip(type) && type.kind == Kind::kEnum) write_enum(out, type);
  }
  for (const Type& type : interface.types) {
    if (skip(type)) continue;
    switch (type.kind) {
      case Kind::kResource:
      case Kind::kRecord:
      case Kind::kVariant:
      case Kind::kFlags:
      case Kind::kEnum: break;
      default: write_alias(out, types, type);
    }
  }
  out.line();
  for (const Type& type : interface.types) {
    if (!skip(type) && type.kind == Kind::kResource) write_resource(type);
  }
  for (const Type& type : interface.types) {
    if (skip(type)) continue;
    if (type.kind == Kind::kRecord) write_record(out, types, type);
    if (type.kind == Kind::kFlags) write_flags(out, type);
    if (type.kind == Kind::kVariant) write_variant(out, types, type);
  }
}

}  // namespace weft::bindgen
