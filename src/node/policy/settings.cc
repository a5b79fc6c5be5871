#include "node/policy/settings.h"

#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "node/object/beacon.h"
#include "node/policy/places.h"
#include "node/policy/settings_files.h"

namespace weft::node {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kListenMax = 64;
constexpr std::size_t kInterfacesMax = 64;
constexpr std::string_view kMayExample =
    R"(["describe", "fetch", "run", "call", "store", "observe"])";

bool is_name(std::string_view text, std::size_t most) {
  auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= most && text[0] != '.' && std::ranges::all_of(text, fits);
}

std::string name_of_machine() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "node";
  std::string text(name.data());
  std::erase_if(text, [](char c) { return !is_name(std::string_view(&c, 1), 1) && c != '.'; });
  text.resize(std::min(text.size(), kNodeNameMax));
  return is_name(text, kNodeNameMax) ? text : "node";
}

// What a machine can bear where its owner writes nothing.
Quota default_total() {
  Quota quota;
  quota.cores = std::clamp(std::thread::hardware_concurrency(), 1u, kCoresMost);
  quota.compile_ns = std::chrono::nanoseconds(std::chrono::minutes(10)).count();
  // Every kind has a bound of the node's: without one a single request could take all there is.
  quota.network_in_bytes = std::uint64_t{10} << 30;
  quota.network_out_bytes = std::uint64_t{10} << 30;
  quota.memory_bytes = std::uint64_t{1} << 30;
  quota.storage_bytes = std::uint64_t{4} << 30;
  quota.runs = 64;
  quota.rate = {.per_second = 5'000, .burst = 10'000};
  return quota;
}

GroupSettings default_strangers() {
  GroupSettings strangers;
  strangers.quota.rate = {.per_second = 10, .burst = 20};
  return strangers;
}

class SettingsReader {
 public:
  SettingsReader(const std::string& file, Problems& problems) : problems_(problems) {
    settings_.folder = fs::path(file).parent_path();
  }

  NodeSettings read(const TomlValue& top) {
    TableReader reader(top, "", problems_);
    static const TomlValue kNothing;
    const TomlEntry* node = reader.take_table("node");
    read_node(node == nullptr ? kNothing : node->value);
    if (const TomlEntry* control = reader.take_table("control")) read_control(control->value);
    if (const TomlEntry* rates = reader.take_table("rates")) read_rates(rates->value);
    settings_.total = default_total();
    if (const TomlEntry* quota = reader.take_table("quota")) {
      TableReader table(quota->value, "[quota]", problems_);
      settings_.total = Quota::read(table, settings_.total);
      table.finish();
    }
    settings_.strangers = default_strangers();
    if (const TomlEntry* strangers = reader.take_table(kStrangers)) {
      settings_.strangers =
          read_group(*strangers, fmt::format("[{}]", kStrangers), settings_.strangers);
    }
    if (const TomlEntry* groups = reader.take_table("group")) read_groups(groups->value);
    if (const TomlEntry* services = reader.take_table("service")) read_services(services->value);
    reader.finish();
    return std::move(settings_);
  }

 private:
  fs::path path(TableReader& reader, std::string_view key, const fs::path& usual) {
    return read_path(reader, key, settings_.folder, usual, problems_);
  }

  void read_node(const TomlValue& table) {
    TableReader reader(table, "[node]", problems_);
    settings_.name = name_of_machine();
    if (auto name = reader.text("name")) {
      if (!is_name(name->text, kNodeNameMax)) {
        problems_.error(
            name->place, fmt::format("node.name is \"{}\"", name->text),
            fmt::format("write 1 to {} of a-z A-Z 0-9 . _ -, no dot first", kNodeNameMax));
      }
      settings_.name = name->text;
    }
    read_listen(reader);
    settings_.key = path(reader, "key", settings_.folder / "node.key");
    settings_.state = path(reader, "state", settings_.folder / kStateUsual);
    settings_.groups = path(reader, "groups", settings_.folder / "groups");
    settings_.control_socket = path(reader, "control", settings_.state / kControlSocketUsual);
    constexpr std::size_t kSocketPathMax = sizeof(sockaddr_un::sun_path) - 1;
    if (settings_.control_socket.string().size() > kSocketPathMax) {
      const TomlEntry* written = reader.take("control");
      problems_.error(written == nullptr ? table.place : written->place,
                      fmt::format("the control socket would be {}, longer than the {} bytes that "
                                  "the system allows",
                                  settings_.control_socket.string(), kSocketPathMax),
                      "write control = \"PATH\" with a shorter path");
    }
    if (const TomlEntry* discovery = reader.take_table("discovery")) {
      TableReader inner(discovery->value, "[node.discovery]", problems_);
      settings_.discovery.on = inner.flag("on").value_or(true);
      for (Placed& each :
           inner.texts("interfaces", R"(["eth0"])").value_or(std::vector<Placed>())) {
        settings_.discovery.interfaces.push_back(std::move(each.text));
      }
      if (settings_.discovery.interfaces.size() > kInterfacesMax) {
        problems_.error(discovery->place, "it names too many interfaces",
                        fmt::format("write at most {}", kInterfacesMax));
      }
      inner.finish();
    }
    if (const TomlEntry* events = reader.take_table("events")) read_events(events->value);
    reader.finish();
  }

  void read_events(const TomlValue& table) {
    TableReader reader(table, "[node.events]", problems_);
    std::uint64_t retain = reader.size("retain", 0, kQuotaBytesMost).value_or(0);
    if (retain != 0 && retain < kEventsRetainLeast) {
      problems_.error(reader.take("retain")->place,
                      fmt::format("node.events.retain is {} bytes", retain),
                      "write \"64MiB\" or more, or 0: then nothing of the log is removed");
    }
    settings_.events.retain_bytes = retain;
    reader.finish();
  }

  void read_control(const TomlValue& table) {
    TableReader reader(table, "[control]", problems_);
    for (std::string_view verb : kControlVerbs) {
      auto named = reader.texts(verb, R"(["alice", "@staff"])");
      if (!named) continue;
      for (Placed& each : *named) {
        if (each.text.empty() || each.text == "@" || each.text.find('\0') != std::string::npos) {
          problems_.error(each.place, fmt::format("control.{} has \"{}\"", verb, each.text),
                          "write the name of a user, or @ and that of a group");
        }
        settings_.control_permits[std::string(verb)].push_back(std::move(each.text));
      }
    }
    reader.finish();
  }

  void read_listen(TableReader& reader) {
    settings_.listen = {{.address = "::", .port = kNodePort},
                        {.address = "0.0.0.0", .port = kNodePort}};
    const TomlEntry* entry = reader.take("listen");
    if (entry == nullptr) return;
    std::vector<Placed> all;
    if (entry->value.kind == TomlValue::Kind::kText) {
      all.push_back({entry->value.text, entry->value.place});
    } else {
      all = read_texts(entry->value, "node.listen", R"(["192.168.1.4:7420"])", problems_);
    }
    settings_.listen.clear();
    for (const Placed& each : all) {
      auto address = ListenAddress::parse(each.text);
      // Without a port it is at the one where nodes are.
      if (!address) {
        address = ListenAddress::parse(fmt::format("{}:{}", each.text, kNodePort));
      }
      if (address) {
        settings_.listen.push_back(*std::move(address));
      } else {
        problems_.error(each.place, fmt::format("node.listen has \"{}\"", each.text),
                        "write ADDRESS:PORT, for example 0.0.0.0:7420 or [::]:7420");
      }
    }
    if (all.empty() || all.size() > kListenMax) {
      problems_.error(entry->place, fmt::format("node.listen has {} addresses", all.size()),
                      fmt::format("write 1 to {}, or leave it out", kListenMax));
    }
  }

  void read_rates(const TomlValue& table) {
    TableReader reader(table, "[rates]", problems_);
    auto one = [&](std::string_view key, RateQuota& rate) {
      const TomlEntry* entry = reader.take_table(key);
      if (entry == nullptr) return;
      TableReader inner(entry->value, fmt::format("[rates.{}]", key), problems_);
      auto per_second = inner.whole("rate", 1, kRateMost);
      auto burst = inner.whole("burst", 1, kRateMost);
      if (per_second) rate = {static_cast<std::uint32_t>(*per_second), 0};
      if (per_second) rate.burst = rate.per_second;
      if (burst) rate.burst = static_cast<std::uint32_t>(*burst);
      inner.finish();
    };
    one("address", settings_.rates.address);
    one("key", settings_.rates.key);
    reader.finish();
  }

  GroupSettings read_group(const TomlEntry& entry, std::string where,
                           const GroupSettings& defaults) {
    TableReader reader(entry.value, std::move(where), problems_);
    GroupSettings group = defaults;
    group.place = entry.place;
    if (auto may = reader.texts("may", kMayExample)) {
      group.may = {};
      for (const Placed& each : *may) add_right(group.may, each);
    }
    group.quota = Quota::read(reader, defaults.quota);
    reader.finish();
    return group;
  }

  void add_right(Rights& may, const Placed& word) {
    std::vector<std::string_view> known;
    for (Right right : kRights) {
      if (word.text == to_string(right)) return may.add(right);
      known.push_back(to_string(right));
    }
    problems_.error(word.place, fmt::format("there is no right \"{}\"", word.text),
                    suggest(word.text, known));
  }

  void read_groups(const TomlValue& table) {
    for (const TomlEntry& entry : table.entries) {
      std::string where = fmt::format("[group.{}]", entry.key);
      if (auto fits = check_group_name(entry.key); !fits) {
        problems_.error(entry.place, fits.error().message(), "");
      } else if (entry.value.kind != TomlValue::Kind::kTable) {
        problems_.error(entry.place, fmt::format("group.{} is {}", entry.key, show(entry.value)),
                        fmt::format("write a table: {}", where));
      } else {
        GroupSettings defaults;
        defaults.may.add(Right::kDescribe);
        settings_.group.emplace(entry.key, read_group(entry, where, defaults));
      }
    }
    if (settings_.group.size() > kGroupsMax) {
      problems_.error(table.place, fmt::format("there are {} groups", settings_.group.size()),
                      fmt::format("write at most {}", kGroupsMax));
    }
  }

  void read_services(const TomlValue& table) {
    for (const TomlEntry& entry : table.entries) {
      std::string where = fmt::format("[service.{}]", entry.key);
      if (entry.value.kind != TomlValue::Kind::kTable) {
        problems_.error(entry.place, fmt::format("service.{} is {}", entry.key, show(entry.value)),
                        fmt::format("write a table: {}", where));
        continue;
      }
      TableReader reader(entry.value, where, problems_);
      ServiceSettings service{.place = entry.place};
      bool file = entry.value.find("file") != nullptr;
      bool library = entry.value.find("library") != nullptr;
      // Asked for in any case: the reader knows its keys by that.
      fs::path named_file = path(reader, "file", settings_.folder / "words.wasm");
      if (file) service.file = std::move(named_file);
      if (auto named = reader.text("library")) service.library = named->text;
      if (file == library) {
        problems_.error(entry.place,
                        fmt::format("{} names {}", where, file ? "two modules" : "no module"),
                        "write file = \"FILE.wasm\" or library = \"NAME@VERSION\", one of the two");
      }
      read_keyvalue(reader, entry, service);
      if (const TomlEntry* links = reader.take_table("links")) {
        service.links = read_links(links->value, reader.name_of("links"));
      }
      reader.finish();
      settings_.service.emplace(entry.key, std::move(service));
    }
    if (settings_.service.size() > kServiceTablesMax) {
      problems_.error(table.place, fmt::format("there are {} services", settings_.service.size()),
                      fmt::format("write at most {}", kServiceTablesMax));
    }
  }

  // Its store is a folder of its name.
  void read_keyvalue(TableReader& reader, const TomlEntry& entry, ServiceSettings& service) {
    auto bytes = reader.size("keyvalue", kServiceKeyvalueLeast, kServiceKeyvalueMost);
    if (!bytes) return;
    service.keyvalue_bytes = *bytes;
    if (is_name(entry.key, kGroupNameMax)) return;
    problems_.error(
        entry.place,
        fmt::format("[service.{}] has keyvalue, and a name that no folder "
                    "has",
                    entry.key),
        fmt::format("name it with 1 to {} of a-z A-Z 0-9 . _ -, no dot first", kGroupNameMax));
  }

  // Only a node serves what a service imports, and only where it is.
  std::vector<LinkSettings> read_links(const TomlValue& table, const std::string& where) {
    std::vector<LinkSettings> links = LinkSettings::read(table, where, problems_);
    for (const LinkSettings& link : links) {
      if (link.to != LinkSettings::To::kNode) {
        problems_.error(link.name.place,
                        fmt::format("{} links to {}: a service is linked to nodes alone", where,
                                    link.end_text()),
                        "write \"node:KEY@ADDRESS:PORT\", or node: and a name that `weft net` "
                        "shows");
      } else if (link.how == LinkSettings::How::kFetch) {
        problems_.error(link.library.place,
                        fmt::format("{} fetches {}: a service calls a library where it is", where,
                                    link.end_text()),
                        "take how = \"fetch\" out");
      }
    }
    return links;
  }

  Problems& problems_;
  NodeSettings settings_;
};

}  // namespace

const GroupSettings& NodeSettings::of_group(std::string_view which) const {
  static const GroupSettings kUnwritten = [] {
    GroupSettings settings;
    settings.may.add(Right::kDescribe);
    return settings;
  }();
  if (which == kStrangers) return strangers;
  auto found = group.find(which);
  return found == group.end() ? kUnwritten : found->second;
}

std::optional<NodeSettings> NodeSettings::from(const TomlValue& merged, const std::string& file,
                                               Problems& problems) {
  std::size_t before = problems.errors();
  NodeSettings settings = SettingsReader(file, problems).read(merged);
  if (problems.errors() != before) return std::nullopt;
  return settings;
}

std::optional<NodeSettings> NodeSettings::parse(std::string_view text, const std::string& file,
                                                Problems& problems) {
  auto top = parse_toml(text, file, problems);
  if (!top) return std::nullopt;
  return from(*top, file, problems);
}

std::optional<NodeSettings> NodeSettings::read(const fs::path& folder, Problems& problems) {
  auto merged = read_settings_files(folder, problems);
  if (!merged) return std::nullopt;
  return from(*merged, (folder / "node.toml").string(), problems);
}

Result<void> check_group_name(std::string_view name) {
  if (name == kStrangers) {
    return failure(Errc::kInvalid,
                   fmt::format("no group is called {}: that is what the keys in none are called, "
                               "whose table is [{}]",
                               kStrangers, kStrangers));
  }
  if (is_name(name, kGroupNameMax)) return {};
  return failure(Errc::kInvalid,
                 fmt::format("\"{}\" is no name of a group: write 1 to {} of a-z A-Z 0-9 . _ -, no "
                             "dot first",
                             name.substr(0, 2 * kGroupNameMax), kGroupNameMax));
}

}  // namespace weft::node
