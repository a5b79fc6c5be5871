#include "app/link_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weft {
namespace {

constexpr std::string_view kExample = "\"component:NAME\", \"provider:NAME\" or \"node:NAME\"";

std::chrono::milliseconds whole_ms(std::chrono::nanoseconds time) {
  return std::chrono::ceil<std::chrono::milliseconds>(time);
}

bool is_interface(std::string_view name) {
  return name.contains(':') && name.contains('/');
}

// What WIT calls an import that has a name of its own: words with dashes between.
bool is_plain(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

class LinkReader {
 public:
  LinkReader(const TomlEntry& entry, const std::string& where, Problems& problems)
      : entry_(entry), what_(fmt::format("{}.\"{}\"", where, entry.key)), problems_(problems) {
    link_.interface = {entry.key, entry.place};
  }

  std::optional<LinkSettings> read() {
    if (!is_interface(entry_.key) && !is_plain(entry_.key)) {
      problems_.error(
          entry_.place, fmt::format("\"{}\" is no name of an interface", entry_.key),
          "write package and interface: links.\"acme:ml/inference\" = ..., or the plain "
          "name that it is imported by");
      return std::nullopt;
    }
    if (entry_.value.kind == TomlValue::Kind::kTable) return read_table();
    if (entry_.value.kind == TomlValue::Kind::kText) {
      return read_to({entry_.value.text, entry_.value.place});
    }
    problems_.error(entry_.value.place, fmt::format("{} is {}", what_, show(entry_.value)),
                    fmt::format("write {}", kExample));
    return std::nullopt;
  }

 private:
  std::optional<LinkSettings> read_table() {
    TableReader reader(entry_.value, what_, problems_);
    auto to = reader.text("to");
    if (entry_.value.find("to") == nullptr) reader.missing("to", fmt::format("to = {}", kExample));
    if (auto as = reader.text("interface")) {
      link_.as = *std::move(as);
      if (!is_interface(link_.as.text) && !is_plain(link_.as.text)) {
        problems_.error(link_.as.place,
                        fmt::format("\"{}\" is no name of an interface", link_.as.text),
                        "write the name that the other end exports: \"acme:ml/inference\"");
      }
    }
    read_library(reader);
    if (auto time = reader.duration("deadline")) link_.deadline = whole_ms(*time);
    if (const TomlEntry* functions = reader.take_table("deadlines")) {
      TableReader each(functions->value, what_ + ".deadlines", problems_);
      for (const TomlEntry& function : functions->value.entries) {
        if (auto time = each.duration(function.key)) {
          link_.deadlines.emplace(function.key,
                                  LinkSettings::Time{whole_ms(*time), function.place});
        }
      }
    }
    link_.layers = LinkLayerSettings::read(reader, what_, problems_);
    reader.finish();
    auto read = to ? read_to(*to) : std::nullopt;
    if (read && read->to != LinkSettings::To::kNode && !read->library.text.empty()) {
      problems_.error(read->library.place,
                      fmt::format("{} has a library, and {} has none", what_, read->end_text()),
                      "name a node: to = \"node:NAME\", or take it out");
    }
    return read;
  }

  void read_library(TableReader& reader) {
    if (auto library = reader.text("library")) {
      link_.library = *std::move(library);
      if (link_.library.text.empty()) {
        problems_.error(link_.library.place, fmt::format("{} has an empty library", what_),
                        "write NAME or NAME@VERSION, as weft net describe tells");
      }
    }
    auto how = reader.text("how");
    if (!how) return;
    if (how->text == "fetch") link_.how = LinkSettings::How::kFetch;
    if (how->text != "fetch" && how->text != "call") {
      problems_.error(how->place, fmt::format("{}.how is \"{}\"", what_, how->text),
                      "write \"call\" or \"fetch\"");
    } else if (link_.library.text.empty()) {
      problems_.error(how->place, fmt::format("{} says how, and names no library", what_),
                      "write library = \"NAME@VERSION\", or take it out: a service is called");
    }
  }

  std::optional<LinkSettings> read_to(const Placed& to) {
    static constexpr std::pair<std::string_view, LinkSettings::To> kKinds[] = {
        {"component:", LinkSettings::To::kComponent},
        {"provider:", LinkSettings::To::kProvider},
        {"node:", LinkSettings::To::kNode}};
    for (const auto& [prefix, kind] : kKinds) {
      if (!to.text.starts_with(prefix) || to.text.size() == prefix.size()) continue;
      link_.to = kind;
      link_.name = {to.text.substr(prefix.size()), to.place};
      return std::move(link_);
    }
    problems_.error(to.place, fmt::format("{} is \"{}\"", what_, to.text),
                    fmt::format("write {}", kExample));
    return std::nullopt;
  }

  const TomlEntry& entry_;
  const std::string what_;
  Problems& problems_;
  LinkSettings link_;
};

}  // namespace

std::string LinkSettings::end_text() const {
  switch (to) {
    case To::kComponent: return "component " + name.text;
    case To::kProvider: return "provider " + name.text;
    case To::kNode: break;
  }
  std::string node = "node " + name.text;
  return library.text.empty() ? node : fmt::format("library {} of {}", library.text, node);
}

std::vector<LinkSettings> LinkSettings::read(const TomlValue& table, const std::string& where,
                                             Problems& problems) {
  std::vector<LinkSettings> links;
  if (table.entries.size() > kLinksMax) {
    problems.error(table.place, fmt::format("{} has {} links", where, table.entries.size()),
                   fmt::format("a component has at most {}", kLinksMax));
    return links;
  }
  for (const TomlEntry& entry : table.entries) {
    if (auto link = LinkReader(entry, where, problems).read()) links.push_back(*std::move(link));
  }
  return links;
}

}  // namespace weft
