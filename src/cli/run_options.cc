#include "cli/run_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/limits.h"
#include "io/http_client/http_client.h"

namespace weft {

namespace {

// $NAME, or $HOME/`fallback`, with "weft" below it.
std::string home_folder(const char* name, const char* fallback) {
  if (const char* folder = std::getenv(name); folder != nullptr && *folder == '/') {
    return fmt::format("{}/weft", folder);
  }
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? "" : fmt::format("{}/{}/weft", home, fallback);
}

Result<void> check_http(std::string_view text, RunOptions& options) {
  std::size_t colon = text.rfind(':');
  std::string_view port = colon == std::string_view::npos ? text : text.substr(colon + 1);
  unsigned number = 0;
  auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
  bool whole = problem == std::errc() && end == port.data() + port.size() && number <= 65'535;
  if (!whole) {
    return failure(Errc::kInvalid,
                   fmt::format("--http {}: write ADDRESS:PORT, for example 127.0.0.1:8080", text));
  }
  options.port = static_cast<std::uint16_t>(number);
  if (colon != std::string_view::npos) {
    std::string_view address = text.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) {
      address = address.substr(1, address.size() - 2);
    }
    options.address = address == "localhost" ? "127.0.0.1" : std::string(address);
  }
  return {};
}

Result<Folder> check_folder(std::string_view text) {
  Folder folder;
  if (text.ends_with(":ro")) {
    folder.access = Folder::Access::kRead;
    text.remove_suffix(3);
  }
  std::size_t cut = text.find("::");
  folder.host = text.substr(0, cut);
  folder.guest = cut == std::string_view::npos ? folder.host : text.substr(cut + 2);
  std::error_code problem;
  if (!std::filesystem::is_directory(folder.host, problem)) {
    return failure(Errc::kNotFound, fmt::format("--dir {}: there is no such folder", folder.host));
  }
  if (::access(folder.host.c_str(), R_OK | X_OK) != 0) {
    return failure(Errc::kDenied,
                   fmt::format("--dir {}: permission denied: change the folder's mode, or run as "
                               "a user who may read it",
                               folder.host));
  }
  return folder;
}

}  // namespace

void add_run_options(CLI::App& verb, RunWords& words) {
  verb.add_option("TARGET", words.target, "A component or WASI module: .wasm or .wat")->required();
  verb.add_option("ARGS", words.args, "Arguments of a command");
  verb.add_option("--http", words.http, "Where an HTTP component is served; port 0 is any free one")
      ->type_name("ADDR:PORT");
  // Each takes one value, so that the target may follow it.
  verb.add_option("--dir", words.folders, "A folder to grant")
      ->type_name("HOST[::GUEST[:ro]]")
      ->allow_extra_args(false);
  verb.add_option("--env", words.env, "An environment variable to grant")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  verb.add_option("--allow-http", words.allow_http,
                  "Where it may send HTTP requests; * is all "
                  "that is public")
      ->type_name("[SCHEME://]HOST[:PORT][/PATH]")
      ->allow_extra_args(false);
  verb.add_option("--allow-net", words.allow_net, "Where its sockets may connect or listen")
      ->type_name("[tcp://|udp://]HOST[:PORT]")
      ->allow_extra_args(false);
  verb.add_option("--ca-file", words.ca_file, "Certificates to trust beside the system's")
      ->type_name("FILE");
  verb.add_option("--state", words.state, "Where the component's own data is kept")
      ->type_name("DIR");
  verb.add_option("--memory", words.memory, "Memory of one instance, for example 64MiB");
  verb.add_option("--cpu", words.cpu, "Processor time of one instance, for example 200ms");
  verb.add_option("--time", words.time, "Time to a response's head, or of a command; 0: no limit");
  verb.add_option("--instances", words.instances, "Instances at once on each loop");
  verb.add_option("--access-log", words.access_log,
                  "A file for a JSON line a request; - is stderr");
  verb.add_option("--loops", words.loops, "Threads that serve; default: one per processor");
  verb.add_flag("--quiet", words.quiet, "Print nothing but the address line");
  verb.positionals_at_end();
}

Result<RunOptions> check_run_words(const RunWords& words) {
  RunOptions options;
  std::string problems;
  auto check = [&](Result<void> result) {
    if (result) return;
    if (!problems.empty()) problems += '\n';
    problems += result.error().message();
  };
  options.target = words.target;
  check(check_http(words.http, options));
  for (const std::string& text : words.folders) {
    if (auto folder = check_folder(text)) {
      options.grants.folders.push_back(*std::move(folder));
    } else {
      check(std::unexpected(std::move(folder).error()));
    }
  }
  for (const std::string& text : words.env) {
    std::size_t cut = text.find('=');
    if (cut == std::string::npos || cut == 0) {
      check(failure(Errc::kInvalid, fmt::format("--env {}: write KEY=VALUE", text)));
    } else {
      options.grants.env.emplace_back(text.substr(0, cut), text.substr(cut + 1));
    }
  }
  auto within = [](std::string_view flag, Result<void> result) -> Result<void> {
    if (result) return {};
    return std::unexpected(std::move(result).error().within(flag));
  };
  NetRules& network = options.grants.network;
  for (const std::string& text : words.allow_http) {
    check(within("--allow-http", network.add_http(text, RuleSource::kFlag)));
  }
  for (const std::string& text : words.allow_net) {
    check(within("--allow-net", network.add_net(text, RuleSource::kFlag)));
  }
  options.http_client.ca_file = words.ca_file;
  check(within("--ca-file", HttpClient::check(options.http_client)));
  auto number = [&](std::string_view flag, const std::string& text, auto parse, auto set) {
    if (text.empty()) return;
    if (auto value = parse(text)) {
      set(*value);
    } else {
      check(std::unexpected(std::move(value).error().within(fmt::format("{} {}", flag, text))));
    }
  };
  number("--memory", words.memory, parse_size,
         [&](std::uint64_t bytes) { options.limits.memory_bytes = bytes; });
  number("--cpu", words.cpu, parse_duration_ns,
         [&](std::uint64_t ns) { options.limits.cpu = std::chrono::nanoseconds(ns); });
  number("--time", words.time == "0" ? "0s" : words.time, parse_duration_ns, [&](std::uint64_t ns) {
    options.limits.time = std::chrono::milliseconds((ns + 999'999) / 1'000'000);
  });
  if (words.instances > 0) {
    options.limits.instances_max = static_cast<std::uint32_t>(words.instances);
  }
  if (!problems.empty()) return failure(Errc::kInvalid, std::move(problems));
  options.access_log = words.access_log;
  options.loops = words.loops;
  options.quiet = words.quiet;
  options.state_folder =
      words.state.empty() ? home_folder("XDG_STATE_HOME", ".local/state") : words.state;
  options.cache_folder = home_folder("XDG_CACHE_HOME", ".cache");
  if (!options.cache_folder.empty()) options.cache_folder += "/compiled";
  options.grants.args.push_back(words.target);
  options.grants.args.insert(options.grants.args.end(), words.args.begin(), words.args.end());
  return options;
}

}  // namespace weft
