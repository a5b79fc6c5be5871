#include "node/policy/settings_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "node/policy/settings.h"

namespace weft::node {
namespace {

namespace fs = std::filesystem;

// Of node.d; a folder that is not there has none.
std::vector<fs::path> parts_of(const fs::path& folder, Problems& problems) {
  std::vector<fs::path> parts;
  std::error_code failed;
  fs::path inner = folder / "node.d";
  if (!fs::exists(inner, failed)) return parts;
  fs::directory_iterator at(inner, failed);
  for (; !failed && at != fs::directory_iterator(); at.increment(failed)) {
    const fs::path& path = at->path();
    // What editors and package managers leave beside files is none of them.
    if (path.extension() == ".toml" && !path.filename().string().starts_with('.')) {
      parts.push_back(path);
    }
    if (parts.size() > kPartsMax) {
      problems.error({inner.string()}, fmt::format("it has more than {} files", kPartsMax),
                     "put several into one");
      return {};
    }
  }
  if (failed) {
    problems.error({inner.string()}, failed.message(), "make it a folder that may be read");
  }
  std::ranges::sort(parts);
  return parts;
}

}  // namespace

void join_tables(TomlValue& into, TomlValue more, const std::string& where, Problems& problems) {
  for (TomlEntry& entry : more.entries) {
    auto mine = std::ranges::find(into.entries, entry.key, &TomlEntry::key);
    std::string name = where.empty() ? entry.key : where + "." + entry.key;
    if (mine == into.entries.end()) {
      into.entries.push_back(std::move(entry));
    } else if (mine->value.kind == TomlValue::Kind::kTable &&
               entry.value.kind == TomlValue::Kind::kTable) {
      join_tables(mine->value, std::move(entry.value), name, problems);
    } else {
      problems.error(entry.place,
                     fmt::format("{} is written here and at {}", name, mine->place.text()),
                     "keep one of them");
    }
  }
}

std::vector<TomlValue> read_each_file(const fs::path& folder, Problems& problems) {
  std::vector<TomlValue> files;
  auto read = [&](const fs::path& path) {
    if (auto file = read_toml(path.string(), problems)) files.push_back(*std::move(file));
  };
  read(folder / "node.toml");
  for (const fs::path& part : parts_of(folder, problems)) read(part);
  return files;
}

std::optional<TomlValue> read_settings_files(const fs::path& folder, Problems& problems) {
  std::size_t before = problems.errors();
  TomlValue all;
  bool first = true;
  for (TomlValue& file : read_each_file(folder, problems)) {
    // The place of the whole is that of its first file.
    if (std::exchange(first, false)) {
      all = std::move(file);
    } else {
      join_tables(all, std::move(file), "", problems);
    }
  }
  if (problems.errors() != before) return std::nullopt;
  return all;
}

}  // namespace weft::node
