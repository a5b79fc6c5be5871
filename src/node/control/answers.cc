#include "node/control/answers.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <filesystem>

#include "base/read_file.h"
#include "base/whole_file.h"
#include "node/daemon/services.h"
#include "node/discovery/net_table.h"
#include "node/library/names.h"
#include "node/object/key_file.h"
#include "node/policy/groups.h"

namespace weft::node::control {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t kSettingsBytesMax = 1 << 20;

json::object usage_json(const Usage& usage) {
  return {{"cpu_ns", usage.cpu_ns},
          {"compile_ns", usage.compile_ns},
          {"memory_peak_bytes", usage.memory_peak_bytes},
          {"memory_byte_ms", usage.memory_byte_ms},
          {"bytes_in", usage.bytes_in},
          {"bytes_out", usage.bytes_out}};
}

Result<std::string> string_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) {
    return failure(Errc::kInvalid, fmt::format("\"{}\" has to be there, and a text", key));
  }
  return std::string(value->get_string());
}

// Everything that was read anew, or all that is wrong.
Result<std::string> reloaded(daemon::Node& node, const daemon::Node::Change& change) {
  Problems problems;
  if (!node.reload(change, problems)) return failure(Errc::kInvalid, problems.text());
  return json::serialize(json::object{{"done", true}, {"warnings", problems.text()}});
}

fs::path groups_folder(daemon::Node& node) {
  return node.parts().policy.get()->settings.groups;
}

}  // namespace

std::string status_json(const daemon::NodeStatus& status) {
  json::array urls;
  for (const std::string& url : status.urls) urls.push_back(json::value(url));
  json::object refused;
  for (std::size_t i = 0; i < status.refused.size(); ++i) {
    if (status.refused[i] == 0) continue;
    refused[to_string(static_cast<RefusalCode>(i))] = status.refused[i];
  }
  return json::serialize(json::object{{"name", status.name},
                                      {"key", status.key.text()},
                                      {"urls", std::move(urls)},
                                      {"draining", status.draining},
                                      {"runs", status.runs},
                                      {"neighbours", status.neighbours},
                                      {"groups", status.groups},
                                      {"keys", status.keys},
                                      {"events", status.events},
                                      {"refused", std::move(refused)},
                                      {"modules", status.store.modules},
                                      {"stored_bytes", status.store.bytes},
                                      {"stored_bytes_max", status.store.bytes_max}});
}

std::string runs_json(const std::vector<daemon::RunStatus>& runs) {
  json::array all;
  for (const daemon::RunStatus& run : runs) {
    all.push_back(json::object{{"run", run.name.text()},
                               {"module", run.module.text()},
                               {"function", run.function},
                               {"requester", run.requester.text()},
                               {"group", run.group},
                               {"usage", usage_json(run.usage)}});
  }
  return json::serialize(json::object{{"runs", std::move(all)}});
}

std::string neighbours_json(daemon::Node& node) {
  return discovery::net_json(node.neighbours(), Deadline::Clock::now());
}

std::string libraries_json(daemon::Node& node) {
  return node.parts().catalogue.json();
}

Result<std::string> reload(daemon::Node& node) {
  return reloaded(node, node.change());
}

Result<std::string> apply_settings(daemon::Node& node, const std::string& text, bool write) {
  if (!text.contains('\n')) {
    // It would be one comment: valid, and all that it says is gone.
    return failure(Errc::kInvalid,
                   "the settings have no line break: with curl, send them by --data-binary, as -d "
                   "takes those out");
  }
  fs::path file = node.parts().policy.get()->settings.folder / "node.toml";
  Problems problems;
  if (!NodeSettings::parse(text, file.string(), problems)) {
    return failure(Errc::kInvalid, problems.text());
  }
  auto change = node.change();
  if (!write) {
    TRY(std::string warnings, node.apply(change, text));
    return json::serialize(json::object{{"done", true}, {"warnings", warnings}});
  }
  TRY(std::string before, read_file(file.string(), kSettingsBytesMax));
  TRY_VOID(write_whole(file, as_bytes(text), Durable::kYes));
  auto done = reloaded(node, change);
  // The parts of node.d and it may not go together: then it is as it was.
  if (!done) TRY_VOID(write_whole(file, as_bytes(before), Durable::kYes));
  return done;
}

Result<std::string> add_library(daemon::Node& node, const std::string& text) {
  boost::system::error_code bad;
  json::value value = json::parse(text, bad);
  if (bad || !value.is_object()) return failure(Errc::kInvalid, "write {\"file\": ..., ...}");
  library::Library library;
  TRY(library.file, string_of(value.get_object(), "file"));
  TRY(library.name, string_of(value.get_object(), "name"));
  TRY(library.version, string_of(value.get_object(), "version"));
  TRY(library.functions, node.exports_of(library.file));
  daemon::NodeParts& parts = node.parts();
  auto change = node.change();
  TRY(library.module,
      parts.modules.add_file(library.file, library::kOwnGroup, library::Keep::kPinned));
  TRY(auto info, parts.modules.info(library.module));
  library.size = info.size;
  std::string module = library.module.text();
  Hash added = library.module;
  if (auto named = parts.catalogue.add(std::move(library)); !named) {
    // What no library names is nobody's, unless something else has it.
    daemon::let_go(parts, {added});
    return std::unexpected(std::move(named).error());
  }
  node.offers_changed();
  return json::serialize(json::object{{"done", true}, {"module", module}});
}

Result<void> remove_library(daemon::Node& node, std::string_view library) {
  auto [name, version] = library::cut_version(library);
  daemon::NodeParts& parts = node.parts();
  auto change = node.change();
  TRY(library::Library named, parts.catalogue.find(name, version));
  auto policy = parts.policy.get();
  for (const auto& [service, settings] : policy->settings.service) {
    std::string_view used = settings.library;
    if (used != named.name && used != fmt::format("{}@{}", named.name, named.version)) continue;
    return failure(
        Errc::kConflict,
        fmt::format("[service.{}] serves {}: take that out of node.toml first", service, used));
  }
  TRY(library::Library removed, parts.catalogue.remove(name, version));
  node.offers_changed();
  daemon::let_go(parts, {removed.module});
  return {};
}

Result<void> trust(daemon::Node& node, std::string_view group, std::string_view name,
                   const std::string& key) {
  TRY(auto keys, parse_public_keys(key));
  if (keys.size() != 1) return failure(Errc::kInvalid, "one key at a time");
  auto change = node.change();
  TRY_VOID(trust_key(groups_folder(node), group, name, keys[0].key));
  TRY_VOID(reloaded(node, change));
  return {};
}

Result<void> distrust(daemon::Node& node, std::string_view group, std::string_view name) {
  TRY_VOID(check_group_name(group));
  TRY_VOID(check_group_name(name));
  fs::path folder = groups_folder(node) / group;
  auto change = node.change();
  bool removed = false;
  // A key may be there in both forms, and counts as long as one of them is.
  for (std::string_view ending : {".pem", ".pub"}) {
    fs::path file = folder / (std::string(name) + std::string(ending));
    std::error_code failed;
    if (fs::remove(file, failed)) removed = true;
    if (failed) {
      return system_failure(fmt::format("removing {}", file.string()), failed.value());
    }
  }
  if (!removed) {
    return failure(Errc::kNotFound, fmt::format("group {} has no key called {}", group, name));
  }
  TRY_VOID(reloaded(node, change));
  return {};
}

}  // namespace weft::node::control
