#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "app/plan.h"

namespace CLI {
class App;
}

namespace weft {

// What `weft run` was told, checked.
struct RunOptions {
  std::string target;
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;
  std::string state_folder;
  std::string cache_folder;
  std::string access_log;  // Empty: none.
  std::size_t loops = 0;   // 0: one per processor.
  bool quiet = false;
  std::optional<std::chrono::nanoseconds> cpu;    // Absent: as Plan has it.
  std::optional<std::chrono::milliseconds> time;  // Likewise.
  Limits limits;
  WasiGrants grants;
};

// The words of the command line, before they are checked.
struct RunWords {
  std::string target;
  std::vector<std::string> args;
  std::string http = "127.0.0.1:8080";
  std::vector<std::string> folders;
  std::vector<std::string> env;
  std::string state;
  std::string memory;
  std::string cpu;
  std::string time;
  std::string stream_idle;
  std::string stream_time;
  std::string access_log;
  std::string instances;
  std::string loops;
  bool quiet = false;
};

void add_run_options(CLI::App& verb, RunWords& words);
// Checks every word; the error names each that is wrong.
Result<RunOptions> check_run_words(const RunWords& words);

}  // namespace weft
