#include "cli/run_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "base/limits.h"
#include "door/codec.h"

namespace weft {

namespace {

// Of a time on the command line: sums with it stay far from the clock's end.
constexpr std::uint64_t kDurationMaxNs = std::uint64_t{365} * 24 * 3'600 * 1'000'000'000;

// Of --instances, which is for one loop, and of --loops: more threads than that serve nobody.
constexpr std::uint32_t kInstancesMax = 65'536;
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

void add_run_options(CLI::App& verb, RunWords& words) {
  verb.add_option("TARGET", words.target, "A component or WASI module: .wasm or .wat")->required();
  verb.add_option("ARGS", words.args,
                  "Arguments of a command: whatever follows TARGET, options too");
  verb.add_option("--http", words.http, "Where an HTTP component is served; port 0 is any free one")
      ->type_name("ADDR:PORT");
  // Each takes one value, so that the target may follow it.
  verb.add_option("--dir", words.folders, "A folder to grant")
      ->type_name("HOST[::GUEST[:ro]]")
      ->allow_extra_args(false);
  verb.add_option("--env", words.env, "An environment variable to grant")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  verb.add_option("--state", words.state, "Where the component's own data is kept")
      ->type_name("DIR");
  verb.add_option("--memory", words.memory, "Memory of one instance, for example 64MiB");
  // The defaults are kHttpCpu, kHttpTime and those of Limits.
  verb.add_option(
          "--cpu", words.cpu,
          "Processor time, for example 200ms; 0: no limit. Default: 10s for an HTTP request, "
          "no limit for a command")
      ->type_name("TIME");
  verb.add_option("--time", words.time,
                  "Time to a response's head, or of a whole command; 0: no limit. Default: 30s for "
                  "an HTTP request, no limit for a command")
      ->type_name("TIME");
  verb.add_option("--stream-idle", words.stream_idle,
                  "Time between two parts of a response after its head; 0: no limit. Default: 60s")
      ->type_name("TIME");
  verb.add_option("--stream-time", words.stream_time,
                  "Time from a response's head to its end; 0: no limit. Default: 1h")
      ->type_name("TIME");
  verb.add_option("--instances", words.instances, "Instances at once on each loop")->type_name("N");
  verb.add_option("--access-log", words.access_log,
                  "A file for a JSON line a request; - is stderr");
  verb.add_option("--loops", words.loops, "Threads that serve; default: one per processor")
      ->type_name("N");
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
  check(check_text("TARGET", words.target));
  for (const std::string& text : words.args) check(check_text("ARGS", text));
  check(check_http(words.http, options));
  for (const std::string& text : words.folders) {
    if (auto folder = check_folder(text)) {
      options.grants.folders.push_back(*std::move(folder));
    } else {
      check(std::unexpected(std::move(folder).error()));
    }
  }
  for (const std::string& text : words.env) {
    check(check_text("--env", text));
    std::size_t cut = text.find('=');
    if (cut == std::string::npos || cut == 0) {
      check(failure(Errc::kInvalid, fmt::format("--env {}: write KEY=VALUE", text)));
    } else {
      options.grants.env.emplace_back(text.substr(0, cut), text.substr(cut + 1));
    }
  }
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
  auto duration = [&](std::string_view flag, const std::string& text, auto set) {
    number(flag, text == "0" ? "0s" : text, parse_duration_ns, [&](std::uint64_t ns) {
      if (ns <= kDurationMaxNs) return set(std::chrono::nanoseconds(ns));
      check(
          failure(Errc::kInvalid, fmt::format("{} {}: at most a year; 0 is no limit", flag, text)));
    });
  };
  duration("--cpu", words.cpu, [&](auto time) { options.cpu = time; });
  duration("--time", words.time, [&](auto time) { options.time = whole_ms(time); });
  duration("--stream-idle", words.stream_idle,
           [&](auto time) { options.limits.stream_idle = whole_ms(time); });
  duration("--stream-time", words.stream_time,
           [&](auto time) { options.limits.stream_time = whole_ms(time); });
  auto count = [&](std::string_view flag, const std::string& text, std::uint32_t max, auto set) {
    number(flag, text, [max](const std::string& word) { return parse_count(word, max); }, set);
  };
  count("--instances", words.instances, kInstancesMax,
        [&](std::uint32_t value) { options.limits.instances_max = value; });
  count("--loops", words.loops, kLoopsMax, [&](std::uint32_t value) { options.loops = value; });
  if (!problems.empty()) return failure(Errc::kInvalid, std::move(problems));
  options.access_log = words.access_log;
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
