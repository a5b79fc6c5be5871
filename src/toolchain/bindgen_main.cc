// weft-bindgen: C++ bindings from a description of WIT, for builds that run before weft is linked.

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/console.h"
#include "toolchain/bindgen/bindgen.h"

namespace weft::bindgen {
namespace {

constexpr char kUsage[] =
    "usage: weft-bindgen DESCRIPTION.json --out DIR [--unit FILE.cc] [--guest]\n"
    "  DESCRIPTION.json  what `weft-wit describe` printed; - reads it from stdin\n"
    "  --out DIR         where wit/... is written\n"
    "  --unit FILE.cc    also writes one source that includes all the others\n"
    "  --guest           for a guest of the described world: DIR/guest.hpp, DIR/guest.cc\n";

Result<std::string> read_input(const std::string& name) {
  std::stringstream text;
  if (name == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream file(name, std::ios::binary);
  if (!file) return system_failure("cannot read " + name, errno);
  text << file.rdbuf();
  return text.str();
}

Result<void> run(int argc, char** argv) {
  std::string input;
  std::filesystem::path folder;
  std::filesystem::path unit;
  bool guest = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    bool has_value = argument == "--out" || argument == "--unit";
    if (has_value && i + 1 == argc) {
      return failure(Errc::kInvalid, fmt::format("{} wants a value\n{}", argument, kUsage));
    }
    if (argument == "--guest") {
      guest = true;
    } else if (argument == "--out") {
      folder = argv[++i];
    } else if (argument == "--unit") {
      unit = argv[++i];
    } else if (input.empty() && (argument == "-" || !argument.starts_with('-'))) {
      input = argument;
    } else {
      return failure(Errc::kInvalid, fmt::format("unexpected argument {}\n{}", argument, kUsage));
    }
  }
  if (input.empty() || folder.empty()) return failure(Errc::kInvalid, kUsage);
  TRY(std::string text, read_input(input));
  TRY(std::vector<GeneratedFile> files, guest ? generate_guest(text) : generate(text));
  return write_files(files, folder, unit);
}

}  // namespace
}  // namespace weft::bindgen

int main(int argc, char** argv) {
  if (weft::Result<void> done = weft::bindgen::run(argc, argv); !done) {
    weft::say(fmt::format("weft-bindgen: {}", done.error().message()));
    return 1;
  }
  return 0;
}
