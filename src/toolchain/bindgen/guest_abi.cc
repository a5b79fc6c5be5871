#include "toolchain/bindgen/flat.h"
#include "toolchain/bindgen/guest_parts.h"
#include "toolchain/bindgen/names.h"

namespace weft::bindgen {
namespace {

// A stream or a future of one type of item, under the first function that has it: the functions of
// the component model for it are named after that one.
struct Pipe {
  bool is_stream;
  std::string item;  // as C++ spells it
  std::string module;
  std::string function;
  std::size_t place;  // among those of the function
};

// Adds the streams and futures of a type in the order in which the component model counts them.
void find_pipes(const Types& types, const Interface& from, const std::optional<TypeRef>& ref,
                std::vector<std::pair<const Interface*, const Type*>>& found) {
  if (!ref) return;
  auto [interface, type, primitive] = types.resolve(from, *ref);
  if (type == nullptr) return;
  for (const Member& member : type->members) find_pipes(types, *interface, member.type, found);
  for (const auto& part : type->parts) find_pipes(types, *interface, part, found);
  if (type->kind == Kind::kStream || type->kind == Kind::kFuture) {
    found.emplace_back(interface, type);
  }
}

Result<void> collect(const Types& types, const Function& function, std::string_view module,
                     std::vector<Pipe>& pipes) {
  std::vector<std::pair<const Interface*, const Type*>> found;
  for (const Member& param : function.params) {
    find_pipes(types, types.interface(), param.type, found);
  }
  find_pipes(types, types.interface(), function.result, found);
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto [interface, type] = found[i];
    if (types.carries_handles(*interface, type->parts[0])) {
      return failure(
          Errc::kUnsupported,
          fmt::format("{}, {}: a {} of resources, streams or futures is not served: pass "
                      "those by themselves, or their data",
                      types.interface().name, function.name,
                      type->kind == Kind::kStream ? "stream" : "future"));
    }
    std::string item = "::weft::Nothing";
    if (type->parts[0]) item = types.spell(*interface, *type->parts[0], Form::kOwned);
    bool is_stream = type->kind == Kind::kStream;
    bool known = false;
    for (const Pipe& each : pipes) known |= each.is_stream == is_stream && each.item == item;
    if (!known) pipes.push_back({is_stream, item, std::string(module), function.name, i});
  }
  return {};
}

struct PipeCall {
  std::string_view name;   // of the function in C++
  std::string_view start;  // of the component model's name, around "stream" or "future"
  std::string_view end;
  std::string_view result;
  std::string_view params;
  std::string_view arguments;
};
constexpr PipeCall kStreamCalls[] = {
    {"make", "[", "-new-", "::std::uint64_t", "", ""},
    {"read", "[async-lower][", "-read-", "::std::uint32_t",
     "::std::uint32_t end, void* items, ::std::size_t count", "end, items, count"},
    {"write", "[async-lower][", "-write-", "::std::uint32_t",
     "::std::uint32_t end, const void* items, ::std::size_t count", "end, items, count"},
    {"drop_reader", "[", "-drop-readable-", "void", "::std::uint32_t end", "end"},
    {"drop_writer", "[", "-drop-writable-", "void", "::std::uint32_t end", "end"},
};
constexpr PipeCall kFutureCalls[] = {
    {"make", "[", "-new-", "::std::uint64_t", "", ""},
    {"read", "[async-lower][", "-read-", "::std::uint32_t", "::std::uint32_t end, void* value",
     "end, value"},
    {"write", "[async-lower][", "-write-", "::std::uint32_t",
     "::std::uint32_t end, const void* value", "end, value"},
    {"drop_reader", "[", "-drop-readable-", "void", "::std::uint32_t end", "end"},
    {"drop_writer", "[", "-drop-writable-", "void", "::std::uint32_t end", "end"},
};

void write_pipe(Text& out, const Pipe& pipe, int number) {
  std::string_view kind = pipe.is_stream ? "stream" : "future";
  std::string_view owner = pipe.is_stream ? "Stream" : "Future";
  const auto& calls = pipe.is_stream ? kStreamCalls : kFutureCalls;
  auto core = [&](const PipeCall& call) {
    return fmt::format("weft_pipe_{}_{}", number, call.name);
  };
  for (const PipeCall& call : calls) {
    std::string name =
        fmt::format("{}{}{}{}]{}", call.start, kind, call.end, pipe.place, pipe.function);
    out.line("extern \"C\" {}", import_attribute(pipe.module, name));
    out.line("{} {}({});", call.result, core(call), call.params);
  }
  out.line("template <>");
  out.line("struct weft::abi::{}Core<{}> {{", owner, pipe.item);
  for (const PipeCall& call : calls) {
    out.line("  static {} {}({}) {{ return {}({}); }}", call.result, call.name, call.params,
             core(call), call.arguments);
  }
  out.line("}};");
  out.line("template struct weft::abi::{}Calls<{}>;", owner, pipe.item);
  out.line();
}

}  // namespace

void write_abi(Text& out, const Types& types, const Interface& interface, const Type& type) {
  std::string name = types.name(interface, type);
  std::string base;
  switch (type.kind) {
    case Kind::kRecord:
      base = fmt::format("RecordAbi<{}", name);
      for (const Member& member : type.members) {
        base += fmt::format(", &{}::{}", name, snake_case(member.name));
      }
      break;
    case Kind::kVariant:
      base = fmt::format("VariantAbi<{}", name);
      for (const Member& member : type.members) {
        base += ", ";
        base += member.type ? types.spell(*member.type, Form::kOwned) : "::weft::Nothing";
      }
      break;
    case Kind::kEnum: base = fmt::format("EnumAbi<{}, {}", name, type.members.size()); break;
    case Kind::kFlags: base = fmt::format("FlagsAbi<{}, {}", name, type.members.size()); break;
    default: return;
  }
  out.line("template <>");
  out.line("struct weft::abi::Abi<{}> : weft::abi::{}> {{}};", name, base);
}

Result<void> write_pipes(Text& out, const Description& description, int& number) {
  std::vector<Pipe> pipes;
  for (const Interface& interface : description.interfaces) {
    for (Side side : {Side::kImport, Side::kExport}) {
      Types types(description, interface, side, Types::Names::kFull);
      std::string module = (side == Side::kExport ? "[export]" : "") + interface.name;
      for (const Function* function : functions_of(types, interface)) {
        TRY_VOID(collect(types, *function, module, pipes));
      }
    }
  }
  for (const Pipe& pipe : pipes) write_pipe(out, pipe, number++);
  return {};
}

void write_component_type(Text& out, const World& world) {
  constexpr std::size_t kDigitsALine = 64;
  out.line("// What the component is, for whoever makes it of the core module.");
  out.line("__asm__(");
  out.line(R"(    ".section \".custom_section.component-type:guest-cpp\",\"\",@\n")");
  for (std::size_t at = 0; at < world.encoded.size(); at += kDigitsALine) {
    std::string bytes;
    for (std::size_t i = at; i < world.encoded.size() && i < at + kDigitsALine; i += 2) {
      bytes += (bytes.empty() ? "0x" : ",0x") + world.encoded.substr(i, 2);
    }
    out.line("    \".byte {}\\n\"", bytes);
  }
  out.line("    \".section .text,\\\"\\\",@\\n\");");
}

std::string import_attribute(std::string_view module, std::string_view name) {
  return fmt::format("__attribute__((import_module(\"{}\"), import_name(\"{}\")))", module, name);
}

std::string export_attribute(std::string_view name) {
  return fmt::format("__attribute__((export_name(\"{}\")))", name);
}

std::string export_prefix(const Interface& interface) {
  return interface.name == kRoot ? "" : interface.name + "#";
}

}  // namespace weft::bindgen
