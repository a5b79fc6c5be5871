#include "cli/run_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iterator>
#include <utility>

#include "cli/given_words.h"
#include "door/codec.h"
#include "io/http_client/http_client.h"
#include "observe/otlp.h"

namespace weft {

namespace {

// Of --instances, which is for one loop, and of --loops: more threads than that serve nobody.
constexpr std::uint32_t kLoopsMax = 1024;

std::chrono::milliseconds whole_ms(std::chrono::nanoseconds time) {
  return std::chrono::ceil<std::chrono::milliseconds>(time);
}

// $NAME, or $HOME/`fallback`, with "weft" below it.
std::string home_folder(const char* name, const char* fallback) {
  if (const char* folder = std::getenv(name); folder != nullptr && *folder == '/') {
    return fmt::format("{}/weft", folder);
  }
  // A relative one would put a folder wherever weft happens to be started.
  const char* home = std::getenv("HOME");
  return home == nullptr || *home != '/' ? "" : fmt::format("{}/{}/weft", home, fallback);
}

// What is not text as it came, for a message: control characters and bytes beyond ASCII in hex.
std::string shown(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (c < ' ' || c >= 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

// Components see arguments, variables and folders as strings, which are UTF-8.
Result<void> check_text(std::string_view flag, std::string_view text) {
  if (is_utf8(text)) return {};
  return failure(
      Errc::kInvalid,
      fmt::format("{} {}: it is not UTF-8, and a component takes nothing else", flag, shown(text)));
}

Result<std::uint32_t> parse_count(std::string_view text, std::uint32_t max) {
  std::uint32_t number = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc() && end == text.data() + text.size() && number >= 1 && number <= max) {
    return number;
  }
  return failure(Errc::kInvalid, fmt::format("write a whole number from 1 to {}", max));
}

// What follows the last colon of a granted folder, unless it is a part of the path.
std::string_view access_suffix(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('/', colon) != std::string_view::npos) return {};
  return text.substr(colon + 1);
}

std::unexpected<Error> unknown_access(std::string_view text) {
  return failure(Errc::kInvalid,
                 fmt::format("--dir {}: \":{}\" says no access. Write HOST::GUEST:ro for reading "
                             "alone, or HOST::GUEST for reading and writing",
                             text, access_suffix(text)));
}

Result<Folder> check_folder(std::string_view text) {
  TRY_VOID(check_text("--dir", text));
  Folder folder;
  std::string_view whole = text;
  if (text.ends_with(":ro")) {
    folder.access = Folder::Access::kRead;
    text.remove_suffix(3);
  }
  std::size_t cut = text.find("::");
  folder.host = text.substr(0, cut);
  folder.guest = cut == std::string_view::npos ? folder.host : text.substr(cut + 2);
  if (cut != std::string_view::npos && folder.guest.find(':') != std::string::npos &&
      folder.guest.find('/', folder.guest.rfind(':')) == std::string::npos) {
    return unknown_access(whole);
  }
  std::error_code problem;
  if (!std::filesystem::is_directory(folder.host, problem)) {
    if (!access_suffix(folder.host).empty()) return unknown_access(whole);
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

std::string default_state_folder() {
  return home_folder("XDG_STATE_HOME", ".local/state");
}

std::string default_weft_cache() {
  return home_folder("XDG_CACHE_HOME", ".cache");
}

std::string default_cache_folder() {
  std::string folder = default_weft_cache();
  return folder.empty() ? folder : folder + "/compiled";
}

Result<std::pair<std::string, std::string>> check_variable(std::string_view text) {
  std::size_t cut = text.find('=');
  if (cut == std::string_view::npos || cut == 0) {
    return failure(Errc::kInvalid, fmt::format("--env {}: write KEY=VALUE", text));
  }
  return std::pair(std::string(text.substr(0, cut)), std::string(text.substr(cut + 1)));
}

void add_component_options(CLI::App& verb, RunWords& words) {
  // Each takes one value, so that what is positional may follow it.
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
  // The defaults are kHttpCpu, kHttpTime and those of Limits.
  verb.add_option(
          "--cpu", words.cpu,
          "Processor time, for example 200ms; 0: no limit. Default: 10s for an HTTP request, "
          "no limit for a command or a call")
      ->type_name("TIME");
  verb.add_option("--time", words.time,
                  "Time to a response's head, or of a whole command or call; 0: no limit. Default: "
                  "30s for an HTTP request, no limit for a command or a call")
      ->type_name("TIME");
}

namespace {

// Everything but the positional words.
void add_options(CLI::App& verb, RunWords& words) {
  verb.add_option("--on", words.on, "The operator's file: prod.toml")->type_name("FILE");
  verb.add_option("--http", words.http,
                  "Where HTTP is served, by default 127.0.0.1:8080; port 0 is any free one")
      ->type_name("ADDR:PORT");
  add_component_options(verb, words);
  verb.add_option("--stream-idle", words.stream_idle,
                  "Time between two parts of a response after its head; 0: no limit. Default: 60s")
      ->type_name("TIME");
  verb.add_option("--stream-total", words.stream_total,
                  "Time from a response's head to its end; 0: no limit. Default: 1h")
      ->type_name("TIME");
  verb.add_option("--instances", words.instances, "Instances at once on each loop")->type_name("N");
  verb.add_option("--access-log", words.access_log,
                  "A file for a JSON line a request; - is stderr");
  verb.add_option(
          "--admin", words.admin,
          "Where metrics, health, and a page that shows what is served are; default: nowhere")
      ->type_name("ADDR:PORT");
  verb.add_option("--otlp", words.otlp,
                  "Where spans of traces are sent to, as OTLP over HTTP: http://127.0.0.1:4318. "
                  "Default: $OTEL_EXPORTER_OTLP_ENDPOINT, else nowhere")
      ->type_name("URL");
  verb.add_option("--loops", words.loops, "Threads that serve; default: one per processor")
      ->type_name("N");
  verb.add_flag("--quiet", words.quiet, "Print nothing but the address line");
}

// What follows the name of an app: options, unlike the arguments of a command, and more apps.
void take_app_words(RunWords& words) {
  CLI::App rest("", "weft run");
  std::vector<std::string> more;
  add_options(rest, words);
  rest.add_option("APP", more, "An app: a folder with a weft.toml");
  // An option that is given again replaces its list: these come before and after.
  static constexpr std::array kLists{&RunWords::folders, &RunWords::env, &RunWords::allow_http,
                                     &RunWords::allow_net};
  std::array<std::vector<std::string>, kLists.size()> before;
  for (std::size_t i = 0; i < kLists.size(); ++i) before[i] = std::exchange(words.*kLists[i], {});
  GivenWords::parse(rest, std::exchange(words.args, {}));
  words.args = std::move(more);
  for (std::size_t i = 0; i < kLists.size(); ++i) {
    std::vector<std::string>& after = words.*kLists[i];
    after.insert(after.begin(), before[i].begin(), before[i].end());
  }
}

using Check = std::function<void(Result<void>)>;

// Limits and grants that an app has from its own files.
void check_app_words(const RunWords& words, const Check& check) {
  auto refuse = [&](std::string_view flag, bool given, std::string_view write) {
    if (!given) return;
    check(failure(Errc::kInvalid, fmt::format("{} is for a component that is run by itself: write "
                                              "{}",
                                              flag, write)));
  };
  refuse("--dir", !words.folders.empty(), "uses.folders in weft.toml");
  refuse("--memory", !words.memory.empty(), "limits in weft.toml or in the file of --on");
  refuse("--cpu", !words.cpu.empty(), "limits in weft.toml or in the file of --on");
  refuse("--time", !words.time.empty(), "limits in weft.toml or in the file of --on");
  refuse("--stream-idle", !words.stream_idle.empty(), "limits in weft.toml or in the file of --on");
  refuse("--stream-total", !words.stream_total.empty(),
         "limits in weft.toml or in the file of --on");
  refuse("--instances", !words.instances.empty(), "limits in weft.toml or in the file of --on");
}

// Tells apps from a component by itself.
void sort_targets(RunWords& words, RunOptions& options, const Check& check) {
  // A folder without a weft.toml is named as an app too: that it has none is then said of it.
  bool apps = manifest_of(words.target).has_value();
  if (apps) {
    take_app_words(words);
    check_app_words(words, check);
    options.sources.apps.push_back(words.target);
    // A word that is no app is an argument of the one command.
    auto app = [](const std::string& word) { return manifest_of(word).has_value(); };
    auto end = std::ranges::find_if_not(words.args, app);
    options.sources.apps.insert(options.sources.apps.end(), words.args.begin(), end);
    options.sources.arguments.assign(end, words.args.end());
  } else {
    options.target = words.target;
  }
  options.sources.environment_file = words.on;
}

// The flag, or what the standard's own variables say.
void check_otlp(const RunWords& words, RunOptions& options, const Check& check) {
  static constexpr const char* kTraces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  static constexpr const char* kAll = "OTEL_EXPORTER_OTLP_ENDPOINT";
  std::string from = "--otlp";
  std::string url = words.otlp;
  for (const char* name : {kTraces, kAll}) {
    const char* value = std::getenv(name);
    if (!url.empty() || value == nullptr || *value == '\0') continue;
    from = name;
    url = value;
  }
  if (url.empty()) return;
  if (auto endpoint = otlp_endpoint(url)) {
    options.otlp_endpoint = *std::move(endpoint);
  } else {
    check(std::unexpected(std::move(endpoint).error().within(from)));
  }
}

void check_grants(const RunWords& words, RunOptions& options, const Check& check) {
  auto address = [&](std::string_view flag, const std::string& text, auto& into) {
    if (text.empty()) return;
    if (auto listen = ListenAddress::parse(text)) {
      into = *listen;
    } else {
      check(std::unexpected(std::move(listen).error().within(fmt::format("{} {}", flag, text))));
    }
  };
  address("--http", words.http, options.listen);
  address("--admin", words.admin, options.admin);
  check_otlp(words, options, check);
  for (const std::string& text : words.folders) {
    if (auto folder = check_folder(text)) {
      options.grants.folders.push_back(*std::move(folder));
    } else {
      check(std::unexpected(std::move(folder).error()));
    }
  }
  for (const std::string& text : words.env) {
    check(check_text("--env", text));
    if (auto variable = check_variable(text)) {
      options.sources.variables.insert_or_assign(variable->first, variable->second);
      options.grants.env.push_back(*std::move(variable));
    } else {
      check(std::unexpected(std::move(variable).error()));
    }
  }
  auto within = [](std::string_view flag, Result<void> result) -> Result<void> {
    if (result) return {};
    return std::unexpected(std::move(result).error().within(flag));
  };
  NetRules& network = options.grants.network;
  for (const std::string& text : words.allow_http) {
    check(within("--allow-http", network.add_http(text, RuleSource::kFlag)));
    options.sources.allow_http.push_back(text);
  }
  for (const std::string& text : words.allow_net) {
    check(within("--allow-net", network.add_net(text, RuleSource::kFlag)));
    options.sources.allow_net.push_back(text);
  }
  options.http_client.ca_file = words.ca_file;
  check(within("--ca-file", HttpClient::check(options.http_client)));
}

}  // namespace

void add_run_options(CLI::App& verb, RunWords& words) {
  verb.add_option("TARGET", words.target,
                  "An app (a folder with a weft.toml), or a component or WASI module: .wasm, .wat")
      ->required();
  verb.add_option("ARGS", words.args,
                  "More apps and options; or arguments of a command, and for that of an app behind "
                  "-- where they look like options");
  add_options(verb, words);
  verb.positionals_at_end();
}

Plan::Component component_of(const RunOptions& options) {
  std::string name = std::filesystem::path(options.target).stem();
  Plan::Component component;
  component.app = name;
  component.name = name;
  component.file = options.target;
  component.cpu = options.cpu;
  component.time = options.time;
  component.limits = options.limits;
  component.grants = options.grants;
  return component;
}

Result<RunOptions> check_run_words(RunWords words) {
  RunOptions options;
  std::string problems;
  Check check = [&](Result<void> result) {
    if (result) return;
    if (!problems.empty()) problems += '\n';
    problems += result.error().message();
  };
  check(check_text("TARGET", words.target));
  for (const std::string& text : words.args) check(check_text("ARGS", text));
  sort_targets(words, options, check);
  check_grants(words, options, check);
  auto number = [&](std::string_view flag, const std::string& text, auto parse, auto set) {
    if (text.empty()) return;
    if (auto value = parse(text)) {
      set(*value);
    } else {
      check(std::unexpected(std::move(value).error().within(fmt::format("{} {}", flag, text))));
    }
  };
  auto memory = [](const std::string& text) { return read_size(text, kMemoryLeast, kMemoryMost); };
  number("--memory", words.memory, memory,
         [&](std::uint64_t bytes) { options.limits.memory_bytes = bytes; });
  auto duration = [&](std::string_view flag, const std::string& text, auto set) {
    number(
        flag, text == "0" ? "0s" : text,
        [](const std::string& word) { return read_duration(word); }, set);
  };
  duration("--cpu", words.cpu, [&](auto time) { options.cpu = time; });
  duration("--time", words.time, [&](auto time) { options.time = whole_ms(time); });
  duration("--stream-idle", words.stream_idle,
           [&](auto time) { options.limits.stream_idle = whole_ms(time); });
  duration("--stream-total", words.stream_total,
           [&](auto time) { options.limits.stream_total = whole_ms(time); });
  auto count = [&](std::string_view flag, const std::string& text, std::uint32_t max, auto set) {
    number(flag, text, [max](const std::string& word) { return parse_count(word, max); }, set);
  };
  count("--instances", words.instances, kInstancesMax,
        [&](std::uint32_t value) { options.limits.instances_max = value; });
  count("--loops", words.loops, kLoopsMax,
        [&](std::uint32_t value) { options.sources.loops = value; });
  if (!problems.empty()) return failure(Errc::kInvalid, std::move(problems));
  options.access_log = words.access_log;
  options.quiet = words.quiet;
  options.state_folder = words.state;
  options.default_state_folder = default_state_folder();
  options.cache_folder = default_cache_folder();
  options.grants.args.push_back(words.target);
  options.grants.args.insert(options.grants.args.end(), words.args.begin(), words.args.end());
  if (!options.target.empty()) options.sources.alone = component_of(options);
  return options;
}

}  // namespace weft
