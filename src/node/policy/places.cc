#include "node/policy/places.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "node/policy/settings_files.h"

namespace weft::node {
namespace {

namespace fs = std::filesystem;

// The key's path in the one file that has it; with two, nobody knows which the node has.
fs::path placed(const std::vector<TomlValue>& files, std::string_view key, const fs::path& folder,
                const fs::path& usual, Problems& problems) {
  fs::path found = usual;
  const TomlEntry* first = nullptr;
  for (const TomlValue& file : files) {
    const TomlEntry* node = file.find("node");
    if (node == nullptr || node->value.kind != TomlValue::Kind::kTable) continue;
    TableReader reader(node->value, "[node]", problems);
    const TomlEntry* entry = reader.take(key);
    if (entry == nullptr) continue;
    if (first != nullptr) {
      problems.error(entry->place,
                     fmt::format("node.{} is written here and at {}", key, first->place.text()),
                     "keep one of them");
      continue;
    }
    first = entry;
    found = read_path(reader, key, folder, usual, problems);
  }
  return found;
}

}  // namespace

std::optional<NodePlaces> NodePlaces::read(const fs::path& folder, Problems& problems) {
  std::size_t before = problems.errors();
  std::vector<TomlValue> files = read_each_file(folder, problems);
  NodePlaces places;
  places.state = placed(files, "state", folder, folder / kStateUsual, problems);
  places.control_socket =
      placed(files, "control", folder, places.state / kControlSocketUsual, problems);
  if (problems.errors() != before) return std::nullopt;
  return places;
}

fs::path read_path(TableReader& reader, std::string_view key, const fs::path& folder,
                   const fs::path& usual, Problems& problems) {
  auto text = reader.text(key);
  if (!text) return usual;
  if (text->text.empty() || text->text.find('\0') != std::string::npos) {
    problems.error(text->place, fmt::format("{} is no path", reader.name_of(key)),
                   fmt::format("write a path, like \"{}\"", usual.string()));
    return usual;
  }
  return folder / text->text;
}

}  // namespace weft::node
