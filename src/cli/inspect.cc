#include "cli/inspect.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include "app/inspection.h"
#include "base/json_text.h"
#include "cli/standard_output.h"

namespace weft {
namespace {

namespace fs = std::filesystem;

// Files of one folder, and the widest column of their names.
constexpr std::size_t kFilesMax = 10'000;
constexpr std::size_t kColumnMax = 60;

// Every .wasm and .wat below the folder, in order. Links to folders are not followed, and what a
// name with a dot hides is left out.
Result<std::vector<std::string>> files_below(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code problem;
  auto options = fs::directory_options::skip_permission_denied;
  for (auto at = fs::recursive_directory_iterator(folder, options, problem);
       !problem && at != fs::recursive_directory_iterator(); at.increment(problem)) {
    std::error_code unknown;
    if (at->path().filename().native().starts_with('.')) {
      at.disable_recursion_pending();
      continue;
    }
    bool code = at->path().extension() == ".wasm" || at->path().extension() == ".wat";
    if (!code || at->is_directory(unknown)) continue;
    files.push_back(at->path().string());
    if (files.size() > kFilesMax) {
      return failure(Errc::kLimit,
                     fmt::format("{}: more than {} .wasm and .wat files: name a folder below",
                                 folder, kFilesMax));
    }
  }
  if (problem) return system_failure(folder, problem.value());
  if (files.empty()) {
    return failure(Errc::kNotFound, fmt::format("{}: there is no .wasm and no .wat in it", folder));
  }
  std::ranges::sort(files);
  return files;
}

Result<int> print_folder(const InspectWords& words, const CapabilityTable& capabilities) {
  if (words.wit) {
    return failure(Errc::kInvalid, "--wit is for one file: name a .wasm");
  }
  TRY(auto files, files_below(words.target));
  std::size_t columns = 0;
  for (const std::string& file : files) {
    columns = std::max(columns, std::min(file.size(), kColumnMax));
  }
  bool well = true;
  if (words.json) {
    std::string folder;
    append_json_string(folder, words.target);
    fmt::print("{{\"folder\": {}, \"files\": [", folder);
  }
  // Each is printed before the next is read: many files are in memory one at a time.
  std::string_view between;
  for (const std::string& file : files) {
    FileReport report = FileReport::make(file, inspect_file(file), capabilities);
    well = well && report.problem().empty();
    if (words.json) {
      fmt::print("{}{}", std::exchange(between, ",\n"), report.json());
    } else {
      fmt::print("{}", report.line(columns));
    }
  }
  if (words.json) fmt::print("]}}\n");
  return well ? 0 : 1;
}

Result<int> print_file(const InspectWords& words, const CapabilityTable& capabilities) {
  FileReport report = FileReport::make(words.target, inspect_file(words.target), capabilities);
  bool well = report.problem().empty();
  auto widths = words.full ? FileReport::Signatures::kWhole : FileReport::Signatures::kCut;
  if (words.json) {
    fmt::print("{}\n", report.json());
  } else if (!well) {
    return failure(Errc::kInvalid, fmt::format("{}: {}", words.target, report.problem()));
  } else {
    fmt::print("{}", words.wit ? report.wit() : report.text(widths));
  }
  return well ? 0 : 1;
}

}  // namespace

void add_inspect_options(CLI::App& verb, InspectWords& words) {
  verb.add_option("TARGET", words.target,
                  "A component or WASI module, .wasm or .wat; or a folder, of which each of "
                  "these is told in a line")
      ->required();
  auto* json = verb.add_flag("--json", words.json, "Print one JSON object");
  verb.add_flag("--wit", words.wit, "Print the world of the component as WIT")->excludes(json);
  verb.add_flag("--full", words.full, "Print each signature whole, however long it is");
  verb.footer(
      "Nothing is compiled and nothing is opened. Beside each import stands what would serve it, "
      "with the drivers that an operator may choose between; after a '!', why nothing can.\n"
      "Exit code: 0; 1 when a file cannot be loaded.");
}

Result<int> run_inspect(const InspectWords& words) {
  CapabilityTable capabilities = embedded_capabilities({.state_folder = {}});
  std::error_code unknown;
  if (!fs::exists(words.target, unknown)) {
    return failure(Errc::kNotFound,
                   fmt::format("{}: there is no such file or folder", words.target));
  }
  TRY(int code, fs::is_directory(words.target, unknown) ? print_folder(words, capabilities)
                                                        : print_file(words, capabilities));
  TRY_VOID(finish_output());
  return code;
}

}  // namespace weft
