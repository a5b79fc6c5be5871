#include "engine/inspect.h"

#include <fmt/format.h>

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

}  // namespace

Result<Inspection> inspect_file(const std::string& path) {
  try {
    bridge::Inspection found = bridge::inspect_file(path);
    Inspection out{.form = to_string(found.form),
                   .kind = program_kind(found.kind),
                   .size = found.size,
                   .digest = to_string(found.digest),
                   .wit = to_string(found.wit),
                   .problem = to_string(found.problem)};
    for (const bridge::Producer& each : found.producers) {
      out.producers.push_back(
          {to_string(each.field), to_string(each.name), to_string(each.version)});
    }
    out.imports = from_bridge(found.imports);
    out.exports = from_bridge(found.exports);
    return out;
  } catch (const rust::Error& error) {
    return failure(Errc::kInvalid, fmt::format("{}: {}", path, error.what()));
  }
}

}  // namespace weft
