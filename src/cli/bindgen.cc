#include "cli/bindgen.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>

#include "cli/standard_output.h"
#include "toolchain/bindgen/bindgen.h"

namespace weft {

void add_bindgen_options(CLI::App& verb, BindgenWords& words) {
  verb.add_option("WIT", words.wit.path, "A .wit file, or the folder of a package")->required();
  verb.add_option("--interface", words.wit.interfaces, "An interface: pkg:name/iface@version")
      ->allow_extra_args(false);
  verb.add_option("--world", words.wit.worlds, "A world: the interfaces that it exports")
      ->allow_extra_args(false);
  verb.add_option("--dep", words.wit.packages, "A package that WIT uses and does not bring")
      ->allow_extra_args(false);
  verb.add_option("--out", words.out, "Where wit/... is written")->capture_default_str();
}

Result<int> run_bindgen(const BindgenWords& words) {
  TRY(std::string description, describe_wit(words.wit));
  auto files = bindgen::generate(description);
  if (!files) return std::unexpected(std::move(files).error().within(words.wit.path));
  TRY_VOID(bindgen::write_files(*files, words.out, {}));
  for (const bindgen::GeneratedFile& file : *files) fmt::print("{}/{}\n", words.out, file.path);
  TRY_VOID(finish_output());
  return 0;
}

}  // namespace weft
