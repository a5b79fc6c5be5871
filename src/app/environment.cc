#include "app/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>

#include "app/driver_keys.h"
#include "base/check.h"
#include "capabilities/config/config.h"

namespace weft {
namespace {

constexpr std::array<std::pair<std::string_view, LogLevel>, 5> kLevels{{
    {"debug", LogLevel::kDebug},
    {"info", LogLevel::kInfo},
    {"warn", LogLevel::kWarn},
    {"error", LogLevel::kError},
    {"off", LogLevel::kOff},
}};

// [http.limits]: what a head or its trailers may have at most, and the shortest wait that lets a
// client on a slow line be heard.
constexpr std::uint64_t kHeadBytesMost = 1 << 20;
constexpr std::uint64_t kHeadersMost = 10'000;
// The empty line that ends a body in chunks is one of them.
constexpr std::uint64_t kTrailerBytesLeast = 64;
constexpr std::chrono::milliseconds kWireTimeLeast{100};

class EnvironmentReader {
 public:
  EnvironmentReader(const std::string& file, const CapabilityTable& capabilities,
                    Problems& problems)
      : capabilities_(capabilities), problems_(problems) {
    environment_.file = file;
  }

  Environment read(const TomlValue& top) {
    TableReader reader(top, "", problems_);
    reader.take("secrets");  // Taken out already.
    if (const TomlEntry* http = reader.take_table("http")) read_http(http->value);
    Place admin_place;
    if (const TomlEntry* admin = reader.take_table("admin")) {
      TableReader table(admin->value, "[admin]", problems_);
      if (const TomlEntry* listen = table.take("listen")) {
        environment_.admin = read_address(listen->value, "admin.listen");
        admin_place = listen->value.place;
      }
      environment_.admin_values = table.flag("values");
      environment_.admin_calls = table.flag("calls");
      table.finish();
    }
    check_addresses(admin_place);
    if (const TomlEntry* log = reader.take_table("log")) read_log(log->value);
    if (const TomlEntry* state = reader.take_table("state")) {
      TableReader table(state->value, "[state]", problems_);
      if (auto folder = table.text("folder")) environment_.state_folder = beside(folder->text);
      table.finish();
    }
    if (const TomlEntry* env = reader.take_table("env")) {
      for (auto& [name, value] : read_values(env->value, "env")) {
        environment_.variables.insert_or_assign(name.text, std::move(value));
      }
    }
    if (const TomlEntry* limits = reader.take_table("limits")) {
      each_component(*limits, [&](const Placed& app, const TomlEntry& entry) {
        std::string where = fmt::format("[limits.{}.{}]", app.text, entry.key);
        environment_.limits.push_back(
            {app, {entry.key, entry.place}, LimitSettings::read(entry.value, where, problems_)});
      });
    }
    if (const TomlEntry* folders = reader.take_table("folder")) read_folders(folders->value);
    if (const TomlEntry* nodes = reader.take_table("node")) read_nodes(*nodes);
    if (const TomlEntry* network = reader.take_table("network")) {
      TableReader table(network->value, "[network]", problems_);
      environment_.allow_http =
          table.texts("allow-http", R"(["http://127.0.0.1:*"])").value_or(std::vector<Placed>());
      environment_.allow_net =
          table.texts("allow-net", R"(["127.0.0.1:*"])").value_or(std::vector<Placed>());
      table.finish();
    }
    for (const auto& capability : capabilities_.all()) read_capability(*capability, reader);
    reader.finish();
    return std::move(environment_);
  }

  void read_nodes(const TomlEntry& nodes) {
    if (nodes.value.entries.size() > NodeTable::kNodesMax) {
      problems_.error(nodes.place, fmt::format("there are {} nodes", nodes.value.entries.size()),
                      fmt::format("write at most {}", NodeTable::kNodesMax));
      return;
    }
    std::string folder = std::filesystem::path(environment_.file).parent_path();
    for (const TomlEntry& entry : nodes.value.entries) {
      environment_.nodes.push_back(NodeTable::read(entry, folder, problems_));
    }
  }

  // The driver of one entry of [secrets]; nothing when it is wrong.
  std::optional<DriverSettings> read_secret(TomlEntry entry) {
    const Capability* secrets = capabilities_.find("secrets");
    if (secrets == nullptr) return std::nullopt;
    TomlValue one;
    one.entries.push_back(std::move(entry));
    std::size_t before = problems_.errors();
    read_drivers(*secrets, one);
    if (problems_.errors() != before || environment_.drivers.empty()) return std::nullopt;
    return std::move(environment_.drivers.back());
  }

 private:
  // The drivers of its names, or the values for its components; nothing of others.
  void read_capability(const Capability& capability, TableReader& reader) {
    std::string_view name = capability.name();
    if (name == "secrets") return;  // Read before everything else.
    CHECK(!reader.knows(name));
    auto form = capability.uses();
    bool valued = form && form->shape == UsesForm::Shape::kValues;
    if (!valued && capability.drivers().empty()) return;
    const TomlEntry* table = reader.take_table(name);
    if (table == nullptr) return;
    if (!valued) return read_drivers(capability, table->value);
    each_component(*table, [&](const Placed& app, const TomlEntry& entry) {
      TomlValue values = entry.value;
      TomlValue chosen;
      std::erase_if(values.entries, [&](TomlEntry& each) {
        if (each.value.find("driver") == nullptr) return false;
        chosen.entries.push_back(std::move(each));
        return true;
      });
      read_drivers(capability, chosen, fmt::format("{}.{}.", app.text, entry.key));
      environment_.values.push_back(
          {std::string(name),
           app,
           {entry.key, entry.place},
           read_values(values, fmt::format("{}.{}.{}", name, app.text, entry.key))});
    });
    look_at_sources(capability);
  }

  // What values come from is there when the file is read, as its secrets are.
  void look_at_sources(const Capability& capability) {
    const auto* config = dynamic_cast<const config::ConfigCapability*>(&capability);
    if (config == nullptr) return;
    for (const DriverSettings& each : environment_.drivers) {
      if (each.capability != capability.name()) continue;
      if (auto looked = config->look(each.choice); !looked) {
        problems_.error(each.name.place, looked.error().message(), "");
      }
    }
  }

  // A path of the file is relative to the file.
  std::string beside(const std::string& path) const {
    if (path.empty() || path == "-" || path.starts_with('/')) return path;
    return std::filesystem::path(environment_.file).parent_path() / path;
  }

  std::optional<ListenAddress> read_address(const TomlValue& value, std::string_view what) {
    static constexpr std::string_view kWrite = "write ADDRESS:PORT, for example 127.0.0.1:8080";
    if (value.kind == TomlValue::Kind::kText) {
      if (auto address = ListenAddress::parse(value.text)) return *address;
    }
    problems_.error(value.place, fmt::format("{} is {}", what, show(value)), std::string(kWrite));
    return std::nullopt;
  }

  // An address has one listener.
  void check_addresses(const Place& admin_place) {
    const auto& listen = environment_.http.listen;
    for (std::size_t i = 0; i < listen.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (!listen[i].first.overlaps(listen[j].first)) continue;
        problems_.error(listen[i].second,
                        fmt::format("http.listen has {} twice", listen[i].first.text()),
                        "take one of them out");
        break;
      }
    }
    if (!environment_.admin) return;
    const ListenAddress& admin = *environment_.admin;
    for (const auto& [address, place] : listen) {
      if (!admin.overlaps(address)) continue;
      problems_.error(admin_place,
                      fmt::format("admin.listen is {}, where HTTP is served too (at {})",
                                  admin.text(), place.text()),
                      "write another port");
      return;
    }
    // The command line may say otherwise.
    if (!listen.empty() || !admin.overlaps(ListenAddress())) return;
    problems_.warn(admin_place,
                   fmt::format("admin.listen is {}, where HTTP is served unless somebody says "
                               "otherwise",
                               admin.text()),
                   "write another port");
  }

  void read_http(const TomlValue& table) {
    TableReader reader(table, "[http]", problems_);
    if (const TomlEntry* listen = reader.take("listen")) {
      std::span<const TomlValue> values(&listen->value, 1);
      if (listen->value.kind == TomlValue::Kind::kList) values = listen->value.list;
      for (const TomlValue& each : values) {
        if (auto address = read_address(each, "http.listen")) {
          environment_.http.listen.emplace_back(*address, each.place);
        }
      }
    }
    if (const TomlEntry* tls = reader.take_table("tls")) {
      TableReader files(tls->value, "[http.tls]", problems_);
      auto certificate = files.text("certificate");
      auto key = files.text("key");
      if (tls->value.find("certificate") == nullptr) {
        files.missing("certificate", "certificate = \"FILE.pem\"");
      }
      if (tls->value.find("key") == nullptr) files.missing("key", "key = \"FILE.key\"");
      files.finish();
      environment_.http.tls_place = tls->place;
      if (certificate && key) {
        certificate->text = beside(certificate->text);
        key->text = beside(key->text);
        environment_.http.tls = TlsSettings{*std::move(certificate), *std::move(key)};
      }
    }
    if (const TomlEntry* limits = reader.take_table("limits")) read_http_limits(limits->value);
    reader.finish();
  }

  void read_http_limits(const TomlValue& table) {
    TableReader reader(table, "[http.limits]", problems_);
    HttpLimits& limits = environment_.http.limits;
    // There is no way to wait without an end here: a client may stall for ever.
    auto milliseconds = [&](std::string_view key, std::chrono::milliseconds& into) {
      if (auto time = reader.duration(key, kWireTimeLeast)) {
        into = std::chrono::ceil<std::chrono::milliseconds>(*time);
      }
    };
    limits.head_bytes_max =
        reader.size("head-bytes", 1024, kHeadBytesMost).value_or(limits.head_bytes_max);
    limits.headers_max = reader.whole("headers", 1, kHeadersMost).value_or(limits.headers_max);
    limits.trailer_bytes_max = reader.size("trailer-bytes", kTrailerBytesLeast, kHeadBytesMost)
                                   .value_or(limits.trailer_bytes_max);
    limits.body_bytes_max =
        reader.size("body-bytes", 0, std::uint64_t{1} << 50).value_or(limits.body_bytes_max);
    limits.connections_max =
        reader.whole("connections", 1, 1'000'000).value_or(limits.connections_max);
    milliseconds("tls-timeout", limits.tls_timeout);
    milliseconds("head-timeout", limits.head_timeout);
    milliseconds("idle-timeout", limits.idle_timeout);
    milliseconds("body-timeout", limits.body_timeout);
    milliseconds("write-timeout", limits.write_timeout);
    reader.finish();
  }

  void read_log(const TomlValue& table) {
    TableReader reader(table, "[log]", problems_);
    if (auto access = reader.text("access")) environment_.access_log = beside(access->text);
    if (auto level = reader.text("level")) {
      auto found =
          std::ranges::find(kLevels, level->text, [](const auto& each) { return each.first; });
      if (found != kLevels.end()) {
        environment_.log_level = found->second;
      } else {
        problems_.error(level->place, "log.level is no level",
                        "write debug, info, warn, error or off");
      }
    }
    reader.finish();
  }

  // `within`: the tables that the names lie in, each with a dot.
  void read_drivers(const Capability& capability, const TomlValue& names,
                    const std::string& within = "") {
    check_tables(capability, names, within);
    for (const TomlEntry& entry : names.entries) {
      if (entry.value.kind == TomlValue::Kind::kTable) read_driver(capability, entry, within);
    }
  }

  // A driver's settings belong into a table of their own, whichever of them stands here.
  void check_tables(const Capability& capability, const TomlValue& names,
                    const std::string& within) {
    auto setting = [&](const TomlEntry& entry) {
      return entry.value.kind != TomlValue::Kind::kTable &&
             (entry.key == "driver" ||
              std::ranges::any_of(capability.drivers(), [&](const DriverInfo& driver) {
                return std::ranges::find(driver.keys, entry.key, &DriverKey::name) !=
                       driver.keys.end();
              }));
    };
    auto loose = std::ranges::find_if(names.entries, setting);
    for (const TomlEntry& entry : names.entries) {
      if (entry.value.kind == TomlValue::Kind::kTable || setting(entry)) continue;
      std::string where = name_of(capability, within, entry.key);
      problems_.error(entry.place, fmt::format("{} is {}", where, show(entry.value)),
                      fmt::format("write a table: [{}] and in it driver = \"...\"", where));
    }
    if (loose == names.entries.end()) return;
    auto form = capability.uses();
    std::string write = fmt::format("write [{}.NAME] above it", capability.name());
    if (form && !form->unnamed.empty()) {
      write += fmt::format(", or [{}.\"\"] for {}", capability.name(), form->unnamed);
    }
    problems_.error(loose->place,
                    fmt::format("{} stands in [{}], which has a table for each name", loose->key,
                                capability.name()),
                    std::move(write));
  }

  static std::string name_of(const Capability& capability, const std::string& within,
                             std::string_view key) {
    return fmt::format("{}.{}{}", capability.name(), within, key_text(key));
  }

  void read_driver(const Capability& capability, const TomlEntry& entry,
                   const std::string& within) {
    std::string name = name_of(capability, within, entry.key);
    TableReader reader(entry.value, fmt::format("[{}]", name), problems_);
    auto driver = reader.text("driver");
    if (!driver) {
      std::string write = fmt::format("driver = \"{}\"", capability.drivers().front().name);
      if (entry.value.find("driver") == nullptr) reader.missing("driver", write);
      return;
    }
    auto info = std::ranges::find(capability.drivers(), driver->text, &DriverInfo::name);
    if (info == capability.drivers().end()) {
      std::vector<std::string_view> known;
      for (const DriverInfo& each : capability.drivers()) known.push_back(each.name);
      problems_.error(driver->place,
                      fmt::format("there is no driver {} for {}", show(*entry.value.find("driver")),
                                  capability.name()),
                      suggest(driver->text, known));
      return;
    }
    if (within.empty()) {
      if (auto named = capability.check_name(entry.key); !named) {
        problems_.error(entry.place, named.error().message(), "");
      }
    }
    DriverSettings settings{
        std::string(capability.name()), {within + entry.key, entry.place}, {driver->text, {}}};
    if (read_settings(reader, *info, settings.choice)) {
      check_driver(capability, entry.value, {name, entry.place}, settings.choice, problems_);
    }
    environment_.drivers.push_back(std::move(settings));
  }

  static std::string show(const TomlEntry& entry) { return weft::show(entry.value); }
  static std::string show(const TomlValue& value) { return weft::show(value); }

  // False where something is wrong with it, which was told.
  bool read_settings(TableReader& reader, const DriverInfo& info, DriverChoice& choice) {
    std::size_t before = problems_.errors();
    for (auto& [key, text] :
         read_keys(reader, info.keys, [this](const std::string& path) { return beside(path); })) {
      choice.settings.emplace_back(std::move(key), Secret(std::move(text)));
    }
    reader.finish();
    return problems_.errors() == before;
  }

  std::vector<std::pair<Placed, Secret>> read_values(const TomlValue& table,
                                                     std::string_view where) {
    std::vector<std::pair<Placed, Secret>> values;
    for (const TomlEntry& each : table.entries) {
      if (each.value.kind != TomlValue::Kind::kText) {
        problems_.error(each.value.place, fmt::format("{}.{} is {}", where, each.key, show(each)),
                        "write a string in quotes");
        continue;
      }
      values.emplace_back(Placed{each.key, each.place}, Secret(each.value.text));
    }
    return values;
  }

  // [NAME.app.component]: calls `read` for each.
  template <class Read>
  void each_component(const TomlEntry& apps, Read read) {
    for (const TomlEntry& app : apps.value.entries) {
      if (app.value.kind != TomlValue::Kind::kTable) {
        problems_.error(app.place, fmt::format("{}.{} is {}", apps.key, app.key, show(app)),
                        fmt::format("write a table: [{}.APP.COMPONENT]", apps.key));
        continue;
      }
      for (const TomlEntry& component : app.value.entries) {
        if (component.value.kind == TomlValue::Kind::kTable) {
          read(Placed{app.key, app.place}, component);
          continue;
        }
        problems_.error(
            component.place,
            fmt::format("{}.{}.{} is {}", apps.key, app.key, component.key, show(component)),
            fmt::format("write a table: [{}.APP.COMPONENT]", apps.key));
      }
    }
  }

  void read_folders(const TomlValue& folders) {
    for (const TomlEntry& entry : folders.entries) {
      if (entry.value.kind != TomlValue::Kind::kTable) {
        problems_.error(
            entry.place, fmt::format("folder.{} is {}", entry.key, show(entry)),
            fmt::format("write a table: [folder.{}] and in it path = \"...\"", entry.key));
        continue;
      }
      TableReader reader(entry.value, fmt::format("[folder.{}]", entry.key), problems_);
      auto path = reader.text("path");
      bool writable = reader.flag("writable").value_or(false);
      if (entry.value.find("path") == nullptr) reader.missing("path", "path = \"FOLDER\"");
      reader.finish();
      if (!path) continue;
      path->text = beside(path->text);
      environment_.folders.emplace(entry.key, FolderSettings{*std::move(path), writable});
    }
  }

  const CapabilityTable& capabilities_;
  Problems& problems_;
  Environment environment_;
};

// Where the file says that the state folder is; empty where it does not, or is wrong, which is told
// when the file is read.
std::string state_folder_of(const TomlValue& top, const std::string& file,
                            const VariableLookup& variables) {
  const TomlEntry* state = top.find("state");
  const TomlEntry* folder = state == nullptr ? nullptr : state->value.find("folder");
  if (folder == nullptr) return {};
  TomlValue value = folder->value;
  Problems told_later;
  Interpolation(variables, told_later).apply(value);
  if (told_later.failed() || value.kind != TomlValue::Kind::kText) return {};
  return (std::filesystem::path(file).parent_path() / value.text).string();
}

// Reads [secrets], of which everything else may name some. An entry may name others: those that do
// not name any themselves.
class SecretsReader {
 public:
  SecretsReader(const std::string& file, const CapabilityTable& capabilities,
                Interpolation& interpolation, Problems& problems)
      : file_(file),
        capabilities_(capabilities),
        interpolation_(interpolation),
        problems_(problems) {}

  void read(std::vector<Interpolation::TakenSecret> taken, OperatorSecrets& secrets) {
    auto names_others = [](const Interpolation::TakenSecret& each) {
      return std::ranges::any_of(each.entry.value.entries, [](const TomlEntry& setting) {
        return setting.value.find("secret") != nullptr;
      });
    };
    auto later = std::ranges::partition(taken, std::not_fn(names_others));
    for (auto each = taken.begin(); each != later.begin(); ++each) add(std::move(*each), secrets);
    const OperatorSecrets known = secrets;
    for (Interpolation::TakenSecret& each : later) {
      interpolation_.apply(each.entry.value, known);
      add(std::move(each), secrets);
    }
  }
  std::vector<DriverSettings> drivers() && { return std::move(drivers_); }

 private:
  void add(Interpolation::TakenSecret taken, OperatorSecrets& secrets) {
    std::string name = taken.entry.key;
    Place place = taken.entry.value.place;
    auto driver =
        EnvironmentReader(file_, capabilities_, problems_).read_secret(std::move(taken.entry));
    if (!driver) return secrets.add_wrong(std::move(name));
    secrets.add(name, driver->choice);
    drivers_.push_back(*std::move(driver));
    if (!taken.is_file) return;
    // Told here, whether or not somebody uses it.
    auto value = secrets.read(name);
    if (value) return;
    problems_.error(
        place, fmt::format("the secret \"{}\" cannot be read: {}", name, value.error().message()),
        "name a file that is there and that this user may read");
    secrets.add_wrong(std::move(name));
  }

  const std::string& file_;
  const CapabilityTable& capabilities_;
  Interpolation& interpolation_;
  Problems& problems_;
  std::vector<DriverSettings> drivers_;
};

Environment interpreted(TomlValue top, const std::string& file, const CapabilityTable& capabilities,
                        VariableLookup variables, Problems& problems) {
  OperatorSecrets secrets(capabilities.secrets(),
                          {state_folder_of(top, file, variables), variables});
  Interpolation interpolation(std::move(variables), problems);
  SecretsReader reader(file, capabilities, interpolation, problems);
  reader.read(interpolation.take_secrets(top, secrets), secrets);
  interpolation.apply(top, secrets);
  Environment environment = EnvironmentReader(file, capabilities, problems).read(top);
  environment.secret_variables = std::move(interpolation).secret_variables();
  for (DriverSettings& driver : std::move(reader).drivers()) {
    auto variable = capabilities.secrets()->variable(driver.name.text, driver.choice);
    if (variable) environment.secret_variables.push_back(*std::move(variable));
    environment.drivers.push_back(std::move(driver));
  }
  environment.secrets = std::move(secrets);
  return environment;
}

}  // namespace

std::optional<Environment> Environment::parse(std::string_view text, const std::string& file,
                                              const CapabilityTable& capabilities,
                                              VariableLookup variables, Problems& problems) {
  auto top = parse_toml(text, file, problems);
  if (!top) return std::nullopt;
  return interpreted(*std::move(top), file, capabilities, std::move(variables), problems);
}

Environment Environment::without_file(const CapabilityTable& capabilities,
                                      VariableLookup variables) {
  return {.secrets = OperatorSecrets(capabilities.secrets(), {{}, std::move(variables)})};
}

Result<std::string> Environment::state_folder_in(const std::string& file,
                                                 VariableLookup variables) {
  Problems problems;
  auto top = read_toml(file, problems);
  if (!top) {
    std::string text = problems.text();
    if (text.ends_with('\n')) text.pop_back();
    return failure(Errc::kInvalid, std::move(text));
  }
  return state_folder_of(*top, file, variables);
}

std::optional<Environment> Environment::read(const std::string& file,
                                             const CapabilityTable& capabilities,
                                             VariableLookup variables, Problems& problems) {
  auto top = read_toml(file, problems);
  if (!top) return std::nullopt;
  return interpreted(*std::move(top), file, capabilities, std::move(variables), problems);
}

const DriverSettings* Environment::driver(std::string_view capability,
                                          std::string_view name) const {
  for (const DriverSettings& each : drivers) {
    if (each.capability == capability && each.name.text == name) return &each;
  }
  return nullptr;
}

}  // namespace weft
