#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/interpolate.h"
#include "app/limit_settings.h"
#include "app/listen_address.h"
#include "app/node_table.h"
#include "app/operator_secrets.h"
#include "app/problems.h"
#include "app/table_reader.h"
#include "base/log.h"
#include "capabilities/table.h"
#include "io/http/limits.h"

namespace weft {

// The limits that the operator wrote of one app's component: [limits.shop.cart].
struct OperatorLimits {
  Placed app;
  Placed component;
  LimitSettings limits;
};

// Values that the operator put in the place of the developer's: [config.shop.cart].
struct OperatorValues {
  std::string capability;  // One that `uses` gives values.
  Placed app;
  Placed component;
  std::vector<std::pair<Placed, Secret>> values;
};

struct TlsSettings {
  Placed certificate;
  Placed key;
};

struct HttpSettings {
  std::vector<std::pair<ListenAddress, Place>> listen;
  std::optional<TlsSettings> tls;
  Place tls_place;
  HttpLimits limits;
};

struct DriverSettings {
  std::string capability;
  Placed name;
  DriverChoice choice;
};

struct FolderSettings {
  Placed path;
  bool writable = false;
};

// The operator's file (`--on prod.toml`), with its secrets and variables put in. Everything in it
// is optional; without a file it is all defaults.
struct Environment {
  std::string file = {};
  HttpSettings http = {};
  std::optional<ListenAddress> admin = {};
  // [admin] values: whether weft spy shows what is in calls. Absent: as the verb has it.
  std::optional<bool> admin_values = {};
  // [admin] calls: whether weft call --at may call what runs. Absent: likewise.
  std::optional<bool> admin_calls = {};
  std::string access_log = {};
  std::optional<LogLevel> log_level = {};
  std::string state_folder = {};
  std::vector<DriverSettings> drivers = {};
  OperatorSecrets secrets = {};
  // Those that secrets were read from: no process of a provider sees them.
  std::vector<std::string> secret_variables = {};
  std::map<std::string, Secret, std::less<>> variables = {};  // [env]
  std::vector<OperatorValues> values = {};
  std::vector<OperatorLimits> limits = {};
  std::map<std::string, FolderSettings, std::less<>> folders = {};
  std::vector<NodeTable> nodes = {};  // That links may name.
  std::vector<Placed> allow_http = {};
  std::vector<Placed> allow_net = {};

  // What there is without a file.
  static Environment without_file(const CapabilityTable& capabilities,
                                  VariableLookup variables = process_variables());
  // As Manifest::parse. `capabilities` knows the drivers, and what has values.
  static std::optional<Environment> parse(std::string_view text, const std::string& file,
                                          const CapabilityTable& capabilities,
                                          VariableLookup variables, Problems& problems);
  static std::optional<Environment> read(const std::string& file,
                                         const CapabilityTable& capabilities,
                                         VariableLookup variables, Problems& problems);

  // Where a file says that the state folder is, and nothing else of it; empty: it does not.
  static Result<std::string> state_folder_in(const std::string& file, VariableLookup variables);

  const DriverSettings* driver(std::string_view capability, std::string_view name) const;
};

}  // namespace weft
