#include "app/toml.h"

// The library asserts things of its input before it checks them, and promises them to the compiler
// where assertions are off: a file that begins with "[[[" would be undefined behaviour. With both
// taken away it goes on to its checks.
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace weft {
namespace {

// Counts the dots that are neither in a string nor in a comment. The parser makes a table of each,
// one in the other, and takes them down by recursion.
std::size_t count_dots(std::string_view text) {
  std::size_t dots = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '.') ++dots;
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (c == '"' || c == '\'') {
      bool escapes = c == '"';
      bool lines = text.substr(i, 3) == std::string(3, c);
      i += lines ? 3 : 1;
      for (; i < text.size(); ++i) {
        if (escapes && text[i] == '\\') {
          ++i;
        } else if (lines ? text.substr(i, 3) == std::string(3, c) : text[i] == c) {
          i += lines ? 2 : 0;
          break;
        } else if (!lines && text[i] == '\n') {
          break;
        }
      }
    }
  }
  return dots;
}

class Converter {
 public:
  Converter(const std::string& file, Problems& problems) : file_(file), problems_(problems) {}

  TomlValue convert(const toml::node& node, int depth) {
    TomlValue value;
    value.place = place(node.source());
    if (depth > kTomlDepthMax) {
      problems_.error(value.place, fmt::format("this lies more than {} tables deep", kTomlDepthMax),
                      "nothing here needs that");
      return value;
    }
    switch (node.type()) {
      case toml::node_type::table: convert_table(*node.as_table(), value, depth); break;
      case toml::node_type::array:
        value.kind = TomlValue::Kind::kList;
        for (const toml::node& each : *node.as_array()) {
          value.list.push_back(convert(each, depth + 1));
        }
        break;
      case toml::node_type::string:
        value.kind = TomlValue::Kind::kText;
        value.text = node.as_string()->get();
        value.shown = value.text;
        break;
      case toml::node_type::integer:
        value.kind = TomlValue::Kind::kInteger;
        value.integer = node.as_integer()->get();
        break;
      case toml::node_type::floating_point:
        value.kind = TomlValue::Kind::kReal;
        value.real = node.as_floating_point()->get();
        break;
      case toml::node_type::boolean:
        value.kind = TomlValue::Kind::kFlag;
        value.flag = node.as_boolean()->get();
        break;
      default: value.kind = TomlValue::Kind::kTime; break;
    }
    return value;
  }

  Place place(const toml::source_region& region) const {
    return {file_, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
  }

 private:
  void convert_table(const toml::table& table, TomlValue& value, int depth) {
    value.is_inline = table.is_inline();
    for (const auto& [key, node] : table) {
      value.entries.push_back(
          {std::string(key.str()), place(key.source()), convert(node, depth + 1)});
    }
    // The library sorts by key.
    std::ranges::sort(value.entries, {}, [](const TomlEntry& entry) {
      return std::pair(entry.place.line, entry.place.column);
    });
  }

  const std::string& file_;
  Problems& problems_;
};

// The library's words without what it quotes from the file: that might be a secret.
std::string without_quotes(std::string_view text) {
  std::string out;
  for (;;) {
    std::size_t open = text.find('\'');
    std::size_t close = open == text.npos ? text.npos : text.find('\'', open + 1);
    if (close == text.npos) break;
    bool short_enough = close - open <= 3;
    out += text.substr(0, open);
    out += short_enough ? text.substr(open, close - open + 1) : "this";
    text.remove_prefix(close + 1);
  }
  out += text.substr(0, text.find('\''));
  return out;
}

}  // namespace

std::string_view TomlValue::kind_name() const {
  switch (kind) {
    case Kind::kText: return "a string";
    case Kind::kInteger: return "a whole number";
    case Kind::kReal: return "a fraction";
    case Kind::kFlag: return "true or false";
    case Kind::kTime: return "a date or time";
    case Kind::kList: return "a list";
    case Kind::kTable: return "a table";
  }
  return "a value";
}

const TomlEntry* TomlValue::find(std::string_view key) const {
  auto found = std::ranges::find(entries, key, &TomlEntry::key);
  return found == entries.end() ? nullptr : &*found;
}

std::optional<TomlValue> parse_toml(std::string_view text, const std::string& file,
                                    Problems& problems) {
  if (text.size() > kTomlBytesMax) {
    problems.error({file}, fmt::format("it has {} bytes", text.size()),
                   fmt::format("at most {} are read", kTomlBytesMax));
    return std::nullopt;
  }
  if (count_dots(text) > kTomlDotsMax) {
    problems.error({file}, fmt::format("it has more than {} dots outside of strings", kTomlDotsMax),
                   "write tables with fewer parts in their names");
    return std::nullopt;
  }
  Converter converter(file, problems);
  try {
    toml::table table = toml::parse(text, file);
    TomlValue top = converter.convert(table, 0);
    top.place = {file, 1, 1};
    return top;
  } catch (const toml::parse_error& problem) {
    problems.error(converter.place(problem.source()),
                   "this is no TOML: " + without_quotes(problem.description()), "");
    return std::nullopt;
  }
}

std::optional<TomlValue> read_toml(const std::string& file, Problems& problems) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) {
    problems.error({file}, "it is a folder", "name a file");
    return std::nullopt;
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    problems.error({file}, fmt::format("it cannot be read: {}", std::strerror(errno)),
                   "name a file that is there and that this user may read");
    return std::nullopt;
  }
  std::string text(kTomlBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return parse_toml(text, file, problems);
}

}  // namespace weft
