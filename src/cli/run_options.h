#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "app/edition.h"
#include "app/listen_address.h"
#include "io/http_client/options.h"

namespace CLI {
class App;
}

namespace weft {

// What `weft run` was told, checked.
struct RunOptions {
  // A component's file; empty when apps are run.
  std::string target;
  // Apps and what they are run on. Of a component too, what it is reloaded from.
  EditionSources sources;
  std::optional<ListenAddress> listen;  // Absent: as the environment says.
  std::optional<ListenAddress> admin;   // Likewise.
  std::string otlp_endpoint;            // Empty: spans are not exported.
  std::string state_folder;             // Empty: as the environment says, or the one below.
  std::string default_state_folder;
  std::string cache_folder;
  std::string access_log;  // Empty: as the environment says.
  bool quiet = false;
  // Whether weft spy shows values on a loopback address where the environment does not say.
  bool spy_values = false;
  bool admin_calls = false;                       // Likewise: whether weft call --at is answered.
  std::optional<std::chrono::nanoseconds> cpu;    // Absent: as Plan has it.
  std::optional<std::chrono::milliseconds> time;  // Likewise.
  Limits limits;
  WasiGrants grants;
  HttpClientOptions http_client;
};

// The words of the command line, before they are checked.
struct RunWords {
  std::string target;
  std::vector<std::string> args;
  std::string http;
  std::string on;
  std::vector<std::string> folders;
  std::vector<std::string> env;
  std::vector<std::string> allow_http;
  std::vector<std::string> allow_net;
  std::string ca_file;
  std::string state;
  std::string memory;
  std::string cpu;
  std::string time;
  std::string stream_idle;
  std::string stream_total;
  std::string access_log;
  std::string admin;
  std::string otlp;
  std::string instances;
  std::string loops;
  bool quiet = false;
};

void add_run_options(CLI::App& verb, RunWords& words);
// Those of them that say what one component gets and may spend.
void add_component_options(CLI::App& verb, RunWords& words);
// Checks every word; the error names each that is wrong. Throws CLI::ParseError for options that
// follow the name of an app and are none.
Result<RunOptions> check_run_words(RunWords words);

// The component that the options name, with its grants and limits.
Plan::Component component_of(const RunOptions& options);

// Where a user's own data and compiled programs are kept.
std::string default_state_folder();
std::string default_cache_folder();
// Where weft keeps what it can make again.
std::string default_weft_cache();
// "KEY=VALUE", cut.
Result<std::pair<std::string, std::string>> check_variable(std::string_view text);

}  // namespace weft
