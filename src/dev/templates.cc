#include "dev/templates.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "app/manifest.h"
#include "base/nearest.h"
#include "dev/embedded.h"
#include "dev/sdk_folder.h"
#include "engine/wit.h"

namespace weft {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kRoot = "sdk/templates/";
// A template's list of packages for wit/deps, a line each.
constexpr std::string_view kPackages = "wit-deps";

// The parts of a template's path: "sdk/templates/LANGUAGE/KIND/FILE".
struct TemplateFile {
  std::string_view language;
  std::string_view kind;
  std::string_view path;
  std::string_view text;
};

std::vector<TemplateFile> template_files() {
  std::vector<TemplateFile> files;
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.path.starts_with(kRoot)) continue;
    std::string_view rest = file.path.substr(kRoot.size());
    auto first = rest.find('/');
    auto second = rest.find('/', first + 1);
    if (second == rest.npos) continue;
    files.push_back({rest.substr(0, first), rest.substr(first + 1, second - first - 1),
                     rest.substr(second + 1), file.text});
  }
  return files;
}

std::string_view usual_name(std::string_view language) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOthers{{
      {"c++", "cpp"},
      {"c++-p2", "cpp-p2"},
      {"javascript", "js"},
      {"py", "python"},
      {"rs", "rust"},
      {"golang", "go"},
  }};
  for (const auto& [other, usual] : kOthers) {
    if (other == language) return usual;
  }
  return language;
}

std::string fill_in(std::string_view text, std::string_view name) {
  constexpr std::string_view kMark = "@NAME@";
  std::string out;
  for (auto at = text.find(kMark); at != text.npos; at = text.find(kMark)) {
    out += text.substr(0, at);
    out += name;
    text.remove_prefix(at + kMark.size());
  }
  return out += text;
}

// Writes the packages that a line of wit-deps names: wasi-0.2.12, or a folder of wit/.
Result<void> write_package(std::string_view name, const fs::path& folder,
                           std::vector<std::string>& written) {
  std::string deps = folder / "wit/deps";
  auto write = [&](std::string_view file, std::string_view text) -> Result<void> {
    written.push_back(fmt::format("{}/{}", deps, file));
    return write_file(written.back(), text);
  };
  if (!name.starts_with("wasi-")) {
    for (const EmbeddedFile& file : embedded_files()) {
      std::string folder_of = fmt::format("wit/{}/", name);
      if (!file.path.starts_with(folder_of)) continue;
      TRY_VOID(write(fmt::format("{}.wit", name), file.text));
    }
    return {};
  }
  fs::path aside = folder / ".wasi";
  TRY_VOID(write_standard_wit(aside));
  std::error_code problem;
  for (fs::directory_iterator each(aside / name, problem), end; !problem && each != end;
       each.increment(problem)) {
    TRY(std::string text, read_file(each->path()));
    TRY_VOID(write(each->path().filename().string(), text));
  }
  fs::remove_all(aside, problem);
  return {};
}

Result<void> check(const NewApp& app) {
  std::vector<std::string> languages = template_languages();
  std::string language(usual_name(app.language));
  if (std::ranges::find(languages, language) == languages.end()) {
    return failure(Errc::kNotFound, fmt::format("there is no template for {}; there are: {}",
                                                app.language, fmt::join(languages, ", ")));
  }
  std::vector<std::string> kinds = template_kinds(language);
  if (std::ranges::find(kinds, app.kind) == kinds.end()) {
    return failure(Errc::kNotFound, fmt::format("{} has no template {}; it has: {}", language,
                                                app.kind, fmt::join(kinds, ", ")));
  }
  bool named = !app.name.empty() && app.name.size() <= Manifest::kNameBytesMax &&
               std::ranges::all_of(app.name, [](char c) {
                 return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
               });
  if (named) return {};
  return failure(Errc::kInvalid, fmt::format("\"{}\" is no name of an app: write 1 to {} of a-z, "
                                             "0-9 and -",
                                             app.name, Manifest::kNameBytesMax));
}

}  // namespace

std::vector<std::string> template_languages() {
  std::vector<std::string> languages;
  for (const TemplateFile& file : template_files()) languages.emplace_back(file.language);
  std::ranges::sort(languages);
  auto rest = std::ranges::unique(languages);
  languages.erase(rest.begin(), rest.end());
  return languages;
}

std::vector<std::string> template_kinds(const std::string& language) {
  std::vector<std::string> kinds;
  for (const TemplateFile& file : template_files()) {
    if (file.language == usual_name(language)) kinds.emplace_back(file.kind);
  }
  std::ranges::sort(kinds);
  auto rest = std::ranges::unique(kinds);
  kinds.erase(rest.begin(), rest.end());
  return kinds;
}

Result<std::vector<std::string>> make_app(const NewApp& app) {
  TRY_VOID(check(app));
  fs::path folder = fs::path(app.parent) / app.name;
  std::error_code problem;
  if (fs::exists(folder, problem)) {
    return failure(Errc::kConflict,
                   fmt::format("{} is there already: write another name", folder.string()));
  }
  std::vector<std::string> written;
  for (const TemplateFile& file : template_files()) {
    if (file.language != usual_name(app.language) || file.kind != app.kind) continue;
    if (file.path == kPackages) {
      std::string_view rest = file.text;
      while (!rest.empty()) {
        auto end = std::min(rest.find('\n'), rest.size());
        if (end != 0) TRY_VOID(write_package(rest.substr(0, end), folder, written));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      continue;
    }
    written.push_back((folder / file.path).string());
    TRY_VOID(write_file(written.back(), fill_in(file.text, app.name)));
  }
  return written;
}

}  // namespace weft
