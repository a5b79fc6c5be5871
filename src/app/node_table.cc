#include "app/node_table.h"

#include <fmt/format.h>

#include <filesystem>

namespace weft {

NodeTable NodeTable::read(const TomlEntry& entry, const std::string& folder, Problems& problems) {
  std::string where = fmt::format("[node.{}]", entry.key);
  NodeTable table{.name = {entry.key, entry.place}};
  if (entry.value.kind != TomlValue::Kind::kTable) {
    problems.error(entry.place, fmt::format("node.{} is {}", entry.key, show(entry.value)),
                   fmt::format("write a table: {} and in it at = \"...\"", where));
    return table;
  }
  TableReader reader(entry.value, where, problems);
  if (auto at = reader.text("at")) table.at = *std::move(at);
  if (entry.value.find("at") == nullptr) {
    reader.missing("at", "at = \"KEY@ADDRESS:PORT\", or a name that `weft net` shows");
  }
  if (auto key = reader.text("key")) table.key = *std::move(key);
  if (entry.value.find("key") == nullptr) {
    reader.missing("key", "key = \"FILE.pem\"; weft key new makes one");
  }
  if (!table.key.text.empty()) {
    table.key.text = (std::filesystem::path(folder) / table.key.text).string();
  }
  reader.finish();
  return table;
}

}  // namespace weft
