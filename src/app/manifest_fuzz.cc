// Reads any bytes as a weft.toml: nothing crashes, and whatever is told is told with its file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "app/manifest.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const weft::CapabilityTable capabilities =
      weft::embedded_capabilities({.state_folder = {}});
  weft::Problems problems;
  auto manifest = weft::Manifest::parse({reinterpret_cast<const char*>(data), size}, "weft.toml",
                                        capabilities, problems);
  CHECK(manifest || problems.failed());
  for (const weft::Problem& each : problems.sorted()) {
    CHECK(each.place.file == "weft.toml");
    CHECK(!each.found.empty());
    CHECK(each.text().find('\n') == std::string::npos);
  }
  if (manifest && !problems.failed()) {
    CHECK(!manifest->name.text.empty());
    CHECK(!manifest->components.empty() || !manifest->triggers.empty());
    for (const auto& component : manifest->components) {
      CHECK(manifest->find(component.name) == &component);
    }
  }
  CHECK(!problems.json().empty());
  return 0;
}
