#include "toolchain/bindgen/names.h"
#include "toolchain/bindgen/parts.h"

namespace weft::bindgen {
namespace {

void write_record(Text& out, const Type& type) {
  for (const Member& member : type.members)
    out.line("  out.write(value.{});", snake_case(member.name));
}
// Braced initialisers run in their order.
void read_record(Text& out, const Types& types, const Type& type) {
  out.line("  return {{");
  for (const Member& member : type.members) {
    out.line("      .{} = in.read<{}>(),", snake_case(member.name),
             types.spell(*member.type, Form::kOwned));
  }
  out.line("  }};");
}

void write_variant(Text& out, const Type& type) {
  out.line("  out.unsigned_leb(value.variant.index());");
  out.line("  switch (value.variant.index()) {{");
  for (std::size_t i = 0; i < type.members.size(); ++i) {
    if (!type.members[i].type) continue;
    out.line("    case {0}: out.write(::std::get_if<{0}>(&value.variant)->value); break;", i);
  }
  out.line("    default: break;");
  out.line("  }}");
}
void read_variant(Text& out, const Types& types, const Type& type, const std::string& name) {
  out.line("  switch (in.discriminant({})) {{", type.members.size());
  for (std::size_t i = 0; i < type.members.size(); ++i) {
    const Member& member = type.members[i];
    std::string label = i + 1 == type.members.size() ? "default" : fmt::format("case {}", i);
    std::string payload =
        member.type ? fmt::format("in.read<{}>()", types.spell(*member.type, Form::kOwned)) : "";
    out.line("    {}: return {}::{}({});", label, name, case_name(member.name), payload);
  }
  out.line("  }}");
}

void write_flags(Text& out, const Type& type) {
  for (std::size_t byte = 0; byte * 8 < type.members.size(); ++byte) {
    std::string bits;
    for (std::size_t i = byte * 8; i < type.members.size() && i < byte * 8 + 8; ++i) {
      bits += fmt::format("{}value.{} << {}", bits.empty() ? "" : " | ",
                          snake_case(type.members[i].name), i % 8);
    }
    out.line("  out.byte(static_cast<::std::uint8_t>({}));", bits);
  }
}
void read_flags(Text& out, const Type& type, const std::string& name) {
  out.line("  {} value;", name);
  std::size_t count = type.members.size();
  for (std::size_t byte = 0; byte * 8 < count; ++byte) {
    out.line("  ::std::uint8_t byte_{} = in.byte();", byte);
    if (count - byte * 8 < 8) {
      out.line("  if (byte_{} >> {} != 0) in.fail(\"flags that do not exist\");", byte,
               count - byte * 8);
    }
    for (std::size_t i = byte * 8; i < count && i < byte * 8 + 8; ++i) {
      out.line("  value.{} = (byte_{} >> {} & 1) != 0;", snake_case(type.members[i].name), byte,
               i % 8);
    }
  }
  out.line("  return value;");
}

}  // namespace

void write_to_string(Text& out, const Type& type) {
  out.line("::std::string_view to_string({} value) {{", pascal_case(type.name));
  out.line("  switch (value) {{");
  for (const Member& member : type.members) {
    out.line("    case {}::{}: return \"{}\";", pascal_case(type.name), constant_case(member.name),
             member.name);
  }
  out.line("  }}");
  out.line("  return \"?\";");
  out.line("}}");
  out.line();
}

void write_codecs(Text& out, const Types& types, const Interface& interface) {
  std::string space = namespace_of(interface);
  // The codecs are defined outside the interface's namespace.
  Types full = types.in_full();
  out.line("namespace {} {{", space);
  out.line();
  for (const Type& type : interface.types) {
    if (type.kind == Kind::kEnum && !type.name.empty()) write_to_string(out, type);
  }
  out.line("}}  // namespace {}", space);
  out.line();
  out.line("namespace weft {{");
  out.line();
  for (const Type& type : interface.types) {
    bool named = type.kind == Kind::kRecord || type.kind == Kind::kVariant ||
                 type.kind == Kind::kEnum || type.kind == Kind::kFlags;
    if (!named || type.name.empty()) continue;
    std::string name = fmt::format("::{}::{}", space, pascal_case(type.name));
    bool hands_over = types.carries_handles(TypeRef{.primitive = {}, .id = type.id});
    out.line("void Codec<{0}>::write(Writer& out, {1}{0}& value) {{", name,
             hands_over ? "" : "const ");
    if (type.kind == Kind::kRecord) write_record(out, type);
    if (type.kind == Kind::kVariant) write_variant(out, type);
    if (type.kind == Kind::kFlags) write_flags(out, type);
    if (type.kind == Kind::kEnum) {
      out.line("  out.unsigned_leb(static_cast<::std::uint32_t>(value));");
    }
    out.line("}}");
    out.line("{0} Codec<{0}>::read(Reader& in) {{", name);
    if (type.kind == Kind::kRecord) read_record(out, full, type);
    if (type.kind == Kind::kVariant) read_variant(out, full, type, name);
    if (type.kind == Kind::kFlags) read_flags(out, type, name);
    if (type.kind == Kind::kEnum) {
      out.line("  return static_cast<{}>(in.discriminant({}));", name, type.members.size());
    }
    out.line("}}");
    out.line();
  }
  out.line("}}  // namespace weft");
}

}  // namespace weft::bindgen
