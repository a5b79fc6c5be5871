#include "cli/bindgen.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "cli/run_options.h"
#include "cli/standard_output.h"
#include "dev/guest_bindings.h"
#include "dev/sdk_folder.h"
#include "toolchain/bindgen/bindgen.h"

namespace weft {

namespace {

constexpr std::string_view kKinds[] = {"host", "provider", "guest-cpp", "guest-c"};

void print_files(const BindgenWords& words, const std::vector<bindgen::GeneratedFile>& files) {
  for (const bindgen::GeneratedFile& file : files) fmt::print("{}/{}\n", words.out, file.path);
}

Result<void> bind_host(const BindgenWords& words) {
  TRY(std::string description, describe_wit(words.wit));
  auto files = bindgen::generate(description);
  if (!files) return std::unexpected(std::move(files).error().within(words.wit.path));
  TRY_VOID(bindgen::write_files(*files, words.out, {}));
  print_files(words, *files);
  return {};
}

// The program is called as its folder.
Result<std::string> provider_name(const std::string& out) {
  std::error_code problem;
  std::string name = std::filesystem::weakly_canonical(out, problem).filename();
  if (problem) return system_failure(fmt::format("cannot find {}", out), problem.value());
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') c = '-';
  }
  return name.empty() ? std::string("provider") : name;
}

Result<void> bind_provider(const BindgenWords& words) {
  TRY(std::string description, describe_wit(words.wit));
  TRY(std::string name, provider_name(words.out));
  auto files = bindgen::generate_provider(description, words.wit.interfaces, name);
  if (!files) return std::unexpected(std::move(files).error().within(words.wit.path));
  TRY_VOID(bindgen::write_files(files->generated, words.out, {}));
  print_files(words, files->generated);
  TRY(std::vector<bool> written, bindgen::write_missing(files->once, words.out));
  for (std::size_t i = 0; i < written.size(); ++i) {
    fmt::print("{}/{}{}\n", words.out, files->once[i].path, written[i] ? "" : " (kept)");
  }
  return {};
}

Result<void> bind_guest(const BindgenWords& words) {
  if (words.wit.worlds.size() > 1 || !words.wit.interfaces.empty()) {
    return failure(
        Errc::kInvalid,
        fmt::format("{} is for one world: say --world NAME once, and no --interface", words.kind));
  }
  GuestWorld world{words.wit.path, words.wit.packages,
                   words.wit.worlds.empty() ? std::string() : words.wit.worlds.front()};
  // What weft serves beside WASI need not be brought along, as for `weft build`.
  TRY(SdkFolder sdk, SdkFolder::open(default_weft_cache()));
  for (std::string& package : sdk.packages(world.path)) {
    world.packages.push_back(std::move(package));
  }
  std::vector<std::string> written;
  if (words.kind == "guest-c") {
    TRY_VOID(make_guest_bindings(world, words.out));
    written = {"guest.h", "guest.c", "guest_component_type.o"};
  } else {
    TRY(written, make_guest_cpp(world, words.out));
    TRY(std::vector<std::string> headers, write_guest_headers(words.out));
    written.insert(written.end(), headers.begin(), headers.end());
  }
  for (const std::string& file : written) fmt::print("{}/{}\n", words.out, file);
  return {};
}

}  // namespace

void add_bindgen_options(CLI::App& verb, BindgenWords& words) {
  verb.add_option("KIND", words.kind,
                  "host (serves an interface inside weft), provider (a program that serves one), "
                  "guest-cpp or guest-c (what a component is written against)")
      ->required();
  verb.add_option("WIT", words.wit.path,
                  "A .wit file, or the folder of a package; without a KIND before it: for a host");
  verb.add_option("--interface", words.wit.interfaces, "An interface: pkg:name/iface@version")
      ->allow_extra_args(false);
  verb.add_option("--world", words.wit.worlds,
                  "A world: for a host or a provider, the interfaces that it exports")
      ->allow_extra_args(false);
  verb.add_option("--dep", words.wit.packages, "A package that WIT uses and does not bring")
      ->allow_extra_args(false);
  verb.add_option("--out", words.out, "The folder that is written to")->capture_default_str();
}

Result<int> run_bindgen(const BindgenWords& given) {
  BindgenWords words = given;
  bool known = std::ranges::find(kKinds, words.kind) != std::end(kKinds);
  if (!known && words.wit.path.empty()) {
    words.wit.path = std::exchange(words.kind, "host");
  } else if (!known || words.wit.path.empty()) {
    return failure(Errc::kInvalid,
                   fmt::format("bindgen {} {}: write bindgen KIND WIT, where KIND is {}",
                               words.kind, words.wit.path, fmt::join(kKinds, ", ")));
  }
  Result<void> done = words.kind == "host"       ? bind_host(words)
                      : words.kind == "provider" ? bind_provider(words)
                                                 : bind_guest(words);
  if (!done) return std::unexpected(std::move(done).error());
  TRY_VOID(finish_output());
  return 0;
}

}  // namespace weft
