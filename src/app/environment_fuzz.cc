// Reads any bytes as an operator's file: nothing crashes, and a value that came from a variable is
// in nothing that is told.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/environment.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const weft::CapabilityTable capabilities =
      weft::embedded_capabilities({.state_folder = "/nowhere"});
  std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kHidden = "9f1c7d52-not-to-be-seen";
  if (text.find("9f1c7d52") != std::string_view::npos) return 0;
  // Files on this machine are none of the fuzzer's business.
  if (text.find("file") != std::string_view::npos) return 0;
  weft::Problems problems;
  auto environment = weft::Environment::parse(
      text, "prod.toml", capabilities,
      [&](std::string_view name) -> std::optional<std::string> {
        if (name.starts_with("U")) return std::nullopt;
        return std::string(kHidden);
      },
      problems);
  CHECK(environment || problems.failed());
  CHECK(problems.text().find(kHidden) == std::string::npos);
  CHECK(problems.json().find(kHidden) == std::string::npos);
  return 0;
}
