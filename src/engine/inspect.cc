#include "engine/inspect.h"

#include <algorithm>

#include "base/sha256.h"
#include "engine/program_file.h"
#include "engine/runtime_impl.h"

namespace weft {

namespace {

std::vector<InspectedFunction> from_bridge(const rust::Vec<bridge::InspectedFunction>& functions) {
  std::vector<InspectedFunction> out;
  for (const bridge::InspectedFunction& each : functions) {
    out.push_back(
        {to_string(each.interface), to_string(each.name), to_string(each.signature), each.wasi});
  }
  return out;
}

// By the first bytes: "\0asm", and the version that a module has.
std::string_view form_of(BytesView bytes) {
  std::string_view begin = as_text(bytes.first(std::min<std::size_t>(bytes.size(), 8)));
  if (!begin.starts_with(std::string_view("\0asm", 4))) return "text";
  return begin.substr(4) == std::string_view("\1\0\0\0", 4) ? "module" : "component";
}

}  // namespace

Result<Inspection> inspect_file(const std::string& path) {
  auto within = [&](Error error) { return std::unexpected<Error>(std::move(error).within(path)); };
  auto file = ProgramFile::open(path);
  if (!file) return within(std::move(file).error());
  auto bytes = file->read();
  if (!bytes) return within(std::move(bytes).error());
  Inspection out{
      .form = std::string(form_of(*bytes)), .size = bytes->size(), .digest = sha256_hex(*bytes)};
  try {
    bridge::Inspection found = bridge::inspect_program({bytes->data(), bytes->size()});
    out.kind = program_kind(found.kind);
    out.wit = to_string(found.wit);
    out.problem = to_string(found.problem);
    for (const bridge::Producer& each : found.producers) {
      out.producers.push_back(
          {to_string(each.field), to_string(each.name), to_string(each.version)});
    }
    out.imports = from_bridge(found.imports);
    out.exports = from_bridge(found.exports);
  } catch (const rust::Error& error) {
    out.problem = error.what();
  }
  return out;
}

}  // namespace weft
