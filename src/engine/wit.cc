#include "engine/wit.h"

#include <fmt/format.h>

#include "engine/runtime_impl.h"

namespace weft {

namespace {

rust::Vec<rust::String> list(const std::vector<std::string>& texts) {
  rust::Vec<rust::String> out;
  for (const std::string& text : texts) out.push_back(text);
  return out;
}

std::string_view name_of(WasiAdapter adapter) {
  switch (adapter) {
    case WasiAdapter::kNone: return "none";
    case WasiAdapter::kCommand: return "command";
    case WasiAdapter::kReactor: return "reactor";
    case WasiAdapter::kFitting: return "";
  }
  return "none";
}

}  // namespace

Result<std::string> describe_wit(const WitQuery& query) {
  try {
    return to_string(bridge::describe_wit(query.path, list(query.packages), list(query.interfaces),
                                          list(query.worlds)));
  } catch (const rust::Error& error) {
    return failure(Errc::kInvalid, fmt::format("{}: {}", query.path, error.what()));
  }
}

Result<void> make_guest_bindings(const GuestWorld& world, const std::string& folder) {
  return make_go_bindings(world, "", folder);
}

Result<void> make_go_bindings(const GuestWorld& world, const std::string& module,
                              const std::string& folder) {
  try {
    bridge::guest_bindings(world.path, list(world.packages), world.name, module, folder);
    return {};
  } catch (const rust::Error& error) {
    return failure(Errc::kInvalid, fmt::format("{}: {}", world.path, error.what()));
  }
}

Result<void> make_component(const std::string& module, WasiAdapter adapter,
                            const std::string& out) {
  try {
    std::string_view name = name_of(adapter);
    bridge::make_component(module, rust::Str(name.data(), name.size()), out);
    return {};
  } catch (const rust::Error& error) {
    return failure(Errc::kInvalid, fmt::format("{}: {}", out, error.what()));
  }
}

Result<void> write_standard_wit(const std::string& folder) {
  try {
    bridge::write_standard_wit(folder);
    return {};
  } catch (const rust::Error& error) {
    return failure(Errc::kIo, error.what());
  }
}

}  // namespace weft
