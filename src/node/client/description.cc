#include "node/client/description.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "node/library/names.h"
#include "node/object/beacon.h"
#include "node/object/request.h"

namespace weft::node::client {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kMayMax = 200;
// In the order in which people are shown them.
constexpr std::array<std::string_view, 7> kLeftKinds{
    "cpu", "compile", "network-in", "network-out", "memory", "storage", "runs"};
// Digits of a module that people are shown.
constexpr std::size_t kDigitsShown = 16;

std::unexpected<Error> wrong(std::string_view what) {
  return failure(Errc::kCorrupt, fmt::format("the node's description is none: {}", what));
}

// Texts of it come into messages.
bool is_shown(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// A text that is there, of at most so many bytes.
Result<std::string> text_of(const json::object& object, std::string_view key, std::size_t most) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return wrong(fmt::format("it has no {}", key));
  std::string_view text(value->get_string().data(), value->get_string().size());
  if (text.size() > most || !is_shown(text)) return wrong(fmt::format("no {} is like that", key));
  return std::string(text);
}

// Each of a list, where there is one.
template <class T, class Read>
Result<std::vector<T>> list_of(const json::object& object, std::string_view key, std::size_t most,
                               Read&& read) {
  std::vector<T> all;
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return all;
  if (!value->is_array() || value->get_array().size() > most) {
    return wrong(fmt::format("its {} are no list of at most {}", key, most));
  }
  for (const json::value& each : value->get_array()) {
    if (!each.is_object()) return wrong(fmt::format("one of its {} is no object", key));
    TRY(T one, read(each.get_object()));
    all.push_back(std::move(one));
  }
  return all;
}

Result<library::LibraryFunction> read_function(const json::object& object) {
  library::LibraryFunction function;
  TRY(function.name, text_of(object, "name", kFunctionNameMax));
  TRY(function.signature, text_of(object, "type", library::kSignatureMax));
  return function;
}

Result<std::vector<library::LibraryFunction>> read_functions(const json::object& object) {
  return list_of<library::LibraryFunction>(object, "functions", library::kLibraryFunctionsMax,
                                           read_function);
}

Result<Hash> read_module(const json::object& object) {
  TRY(std::string text, text_of(object, "module", 2 * Hash::kBytes));
  return Hash::parse(text);
}

Result<library::Library> read_library(const json::object& object) {
  library::Library library;
  TRY(library.name, text_of(object, "name", library::kLibraryNameMax));
  TRY(library.version, text_of(object, "version", library::kVersionMax));
  TRY(library.module, read_module(object));
  TRY(library.functions, read_functions(object));
  return library;
}

Result<library::Service> read_service(const json::object& object) {
  library::Service service;
  TRY(service.interface, text_of(object, "interface", library::kInterfaceNameMax));
  TRY(service.module, read_module(object));
  TRY(service.functions, read_functions(object));
  return service;
}

// Of the kinds that there are; others are of a later weft.
Result<std::vector<std::pair<std::string, std::uint64_t>>> read_left(const json::object& object) {
  std::vector<std::pair<std::string, std::uint64_t>> left;
  const json::value* value = object.if_contains("left");
  if (value == nullptr) return left;
  if (!value->is_object()) return wrong("what is left is no object");
  for (std::string_view kind : kLeftKinds) {
    const json::value* amount = value->get_object().if_contains({kind.data(), kind.size()});
    if (amount == nullptr) continue;
    json::error_code bad;
    auto number = amount->to_number<std::uint64_t>(bad);
    if (bad) return wrong("what is left is no number");
    left.emplace_back(kind, number);
  }
  return left;
}

std::string amount_text(std::string_view kind, std::uint64_t amount) {
  constexpr double kNsPerS = 1e9;
  constexpr double kMiB = 1 << 20;
  if (kind == "runs") return fmt::format("{}", amount);
  auto value = static_cast<double>(amount);
  if (kind == "cpu" || kind == "compile") return fmt::format("{:.1f} s", value / kNsPerS);
  return fmt::format("{:.1f} MiB", value / kMiB);
}

void add_functions(std::string& out, std::span<const library::LibraryFunction> functions) {
  for (const library::LibraryFunction& each : functions) {
    out += fmt::format("    {}: {}\n", each.name, each.signature);
  }
}

}  // namespace

Result<Description> read_description(std::string_view text) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::error_code bad;
  json::value root = json::parse({text.data(), text.size()}, bad, {}, options);
  if (bad || !root.is_object()) return wrong("it is no object of JSON");
  const json::object& object = root.get_object();
  Description description;
  TRY(description.name, text_of(object, "name", kNodeNameMax));
  if (object.contains("may")) {
    TRY(description.may, text_of(object, "may", kMayMax));
  }
  if (object.contains("group")) {
    TRY(description.group, text_of(object, "group", kGroupNameMax));
  }
  TRY(description.left, read_left(object));
  TRY(description.libraries,
      list_of<library::Library>(object, "libraries", library::kLibrariesMax, read_library));
  TRY(description.services,
      list_of<library::Service>(object, "services", library::kServicesMax, read_service));
  return description;
}

std::string description_tree(const Description& description) {
  if (description.may.empty()) return "  tells strangers who it is, and no more\n";
  std::string out =
      fmt::format("  in its group {} we may {}\n", description.group, description.may);
  for (std::string_view between = "  left of its quota: ";
       const auto& [kind, amount] : description.left) {
    out += fmt::format("{}{} {}", std::exchange(between, ", "), kind, amount_text(kind, amount));
  }
  if (!description.left.empty()) out += '\n';
  for (const library::Service& each : description.services) {
    out += fmt::format("  service {}\n", each.interface);
    add_functions(out, each.functions);
  }
  for (const library::Library& each : description.libraries) {
    out += fmt::format("  library {}@{} {}\n", each.name, each.version,
                       each.module.text().substr(0, kDigitsShown));
    add_functions(out, each.functions);
  }
  return out;
}

}  // namespace weft::node::client
