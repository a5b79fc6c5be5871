#include "node/library/catalogue_json.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/nearest.h"

namespace weft::node::library {
namespace {

namespace json = boost::json;

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kDepthMax = 8;

// Where lines of a file end; of what is sent nowhere.
struct Breaks {
  std::string_view library = {};
  std::string_view function = {};
};

void append_functions(std::string& out, std::span<const LibraryFunction> functions,
                      const Breaks& breaks) {
  out += ",\"functions\":[";
  for (const LibraryFunction& function : functions) {
    if (&function != functions.data()) out += ',';
    out += fmt::format("{}{{\"name\":", breaks.function);
    append_json_string(out, function.name);
    append_json_member(out, "type", function.signature);
    out += '}';
  }
  out += ']';
}

void append_library(std::string& out, const Library& library, const Breaks& breaks) {
  out += fmt::format("{}{{\"name\":", breaks.library);
  append_json_string(out, library.name);
  append_json_member(out, "version", library.version);
  append_json_member(out, "module", library.module.text());
  out += fmt::format(",\"size\":{}", library.size);
  // Only the file has lines.
  if (!breaks.library.empty()) append_json_member(out, "file", library.file);
  append_functions(out, library.functions, breaks);
  out += '}';
}

void append_libraries(std::string& out, std::span<const Library> libraries, const Breaks& breaks) {
  out += "\"libraries\":[";
  for (const Library& library : libraries) {
    if (&library != libraries.data()) out += ',';
    append_library(out, library, breaks);
  }
  out += ']';
}

// The members of one object. What was wrong first is kept.
class Members {
 public:
  Members(const json::value& value, std::string where,
          std::initializer_list<std::string_view> known)
      : where_(std::move(where)), object_(value.if_object()) {
    if (object_ == nullptr) {
      fail("is no object");
      return;
    }
    for (const auto& member : *object_) {
      std::string_view key(member.key().data(), member.key().size());
      if (std::ranges::find(known, key) != known.end()) continue;
      auto near = nearest(key, {known.begin(), known.size()});
      fail(fmt::format("has a member \"{}\"{}", key.substr(0, kNearestBytesMax),
                       near ? fmt::format(": is it \"{}\"?", *near) : " that is unknown"));
      return;
    }
  }

  std::string text(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_string()) fail(fmt::format("\"{}\" is no text", key));
    return value->is_string() ? std::string(value->get_string()) : std::string();
  }
  std::uint64_t number(std::string_view key) {
    const json::value* value = find(key);
    if (value == nullptr) return 0;
    if (value->is_int64() && value->get_int64() >= 0) {
      return static_cast<std::uint64_t>(value->get_int64());
    }
    if (value->is_uint64()) return value->get_uint64();
    fail(fmt::format("\"{}\" is no number", key));
    return 0;
  }
  const json::array& list(std::string_view key) {
    static const json::array kNone;
    const json::value* value = find(key);
    if (value != nullptr && value->is_array()) return value->get_array();
    if (value != nullptr) fail(fmt::format("\"{}\" is no list", key));
    return kNone;
  }

  Result<void> finish() const {
    if (why_.empty()) return {};
    return failure(Errc::kInvalid, fmt::format("{} {}", where_, why_));
  }

 private:
  const json::value* find(std::string_view key) {
    if (object_ == nullptr) return nullptr;
    const json::value* value = object_->if_contains({key.data(), key.size()});
    if (value == nullptr) fail(fmt::format("has no \"{}\"", key));
    return value;
  }
  void fail(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }

  std::string where_;
  const json::object* object_;
  std::string why_;
};

Result<Library> read_library(const json::value& value, std::size_t number) {
  std::string where = fmt::format("library {}", number);
  Members members(value, where, {"name", "version", "module", "size", "file", "functions"});
  Library library{.name = members.text("name"), .version = members.text("version")};
  std::string module = members.text("module");
  library.size = members.number("size");
  library.file = members.text("file");
  for (const json::value& each : members.list("functions")) {
    Members function(each, fmt::format("{}: a function", where), {"name", "type"});
    library.functions.push_back({function.text("name"), function.text("type")});
    TRY_VOID(function.finish());
  }
  TRY_VOID(members.finish());
  TRY(library.module, Hash::parse(module));
  return library;
}

}  // namespace

std::string catalogue_json(std::span<const Library> libraries, std::span<const Service> services) {
  std::string out = "{";
  append_libraries(out, libraries, {});
  out += ",\"services\":[";
  for (const Service& service : services) {
    if (&service != services.data()) out += ',';
    out += "{\"interface\":";
    append_json_string(out, service.interface);
    append_json_member(out, "module", service.module.text());
    append_functions(out, service.functions, {});
    out += '}';
  }
  out += "]}";
  return out;
}

std::string catalogue_file(std::span<const Library> libraries) {
  std::string out = fmt::format("{{\"format\":{},\n", kFormat);
  append_libraries(out, libraries, {.library = "\n ", .function = "\n  "});
  out += "}\n";
  return out;
}

Result<std::vector<Library>> read_catalogue_file(std::string_view text) {
  // A file's name may be of any bytes.
  json::parse_options options;
  options.max_depth = kDepthMax;
  options.allow_invalid_utf8 = true;
  json::error_code wrong;
  json::value root = json::parse({text.data(), text.size()}, wrong, {}, options);
  if (wrong) return failure(Errc::kInvalid, fmt::format("it is no JSON: {}", wrong.message()));
  Members members(root, "it", {"format", "libraries"});
  std::uint64_t format = members.number("format");
  const json::array& list = members.list("libraries");
  TRY_VOID(members.finish());
  if (format != kFormat) {
    return failure(Errc::kUnsupported,
                   fmt::format("it has format {}, this weft reads {}", format, kFormat));
  }
  std::vector<Library> libraries;
  for (const json::value& each : list) {
    TRY(auto library, read_library(each, libraries.size() + 1));
    libraries.push_back(std::move(library));
  }
  return libraries;
}

}  // namespace weft::node::library
