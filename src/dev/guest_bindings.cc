#include "dev/guest_bindings.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "dev/embedded.h"
#include "dev/sdk_folder.h"

namespace weft {

namespace {

constexpr std::string_view kHeaders = "sdk/cpp/";
// What guest.hpp and guest.cc include of the SDK.
constexpr std::array<std::string_view, 5> kNeeded = {"weft/abi.h", "weft/abi_values.h",
                                                     "weft/async.h", "weft/stream.h", "weft/wit.h"};

}  // namespace

Result<std::vector<std::string>> make_guest_cpp(const GuestWorld& world, const std::string& folder,
                                                bindgen::GuestScope scope) {
  TRY(std::string description, describe_wit({world.path, world.packages, {}, {world.name}}));
  auto files = bindgen::generate_guest(description, scope);
  if (!files) return std::unexpected(std::move(files).error().within(world.path));
  TRY_VOID(bindgen::write_files(*files, folder, {}));
  std::vector<std::string> written;
  for (bindgen::GeneratedFile& file : *files) written.push_back(std::move(file.path));
  return written;
}

Result<std::vector<std::string>> write_guest_headers(const std::string& folder) {
  std::vector<std::string> written;
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.path.starts_with(kHeaders)) continue;
    std::string_view name = file.path.substr(kHeaders.size());
    for (std::string_view needed : kNeeded) {
      if (name != needed) continue;
      TRY_VOID(write_file(fmt::format("{}/{}", folder, name), file.text));
      written.emplace_back(name);
    }
  }
  return written;
}

}  // namespace weft
