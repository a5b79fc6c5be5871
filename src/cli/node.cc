#include "cli/node.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "app/problems.h"
#include "base/console.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/net_address.h"
#include "base/read_file.h"
#include "base/shown_text.h"
#include "cli/actions.h"
#include "cli/key.h"
#include "cli/run_options.h"
#include "cli/standard_output.h"
#include "node/control/control_client.h"
#include "node/control/control_server.h"
#include "node/daemon/node.h"
#include "node/events/bill.h"
#include "node/events/cloud_events.h"
#include "node/events/event_reader.h"
#include "node/events/verify.h"
#include "node/policy/places.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using node::control::ask_control;

constexpr const char* kUsualFolder = "/etc/weft";
constexpr const char* kSelf = "/proc/self/exe";
// From the first signal to the end of runs that go on.
constexpr std::chrono::seconds kStopMax{30};
constexpr std::size_t kProofBytesMax = 1 << 20;

constexpr std::array<ActionOptions, 16> kActions{{
    {"init", "--dir"},
    {"start", "--dir --quiet"},
    {"status", "--dir --socket --json"},
    {"runs", "--dir --socket --json"},
    {"cancel", "--dir --socket"},
    {"drain", "--dir --socket"},
    {"undrain", "--dir --socket"},
    {"reload", "--dir --socket"},
    {"stop", "--dir --socket"},
    {"library list", "--dir --socket --json"},
    {"library add", "--dir --socket --name --version"},
    {"library remove", "--dir --socket"},
    {"events", "--dir --socket --from --follow"},
    {"bill", "--dir --from --by --json --csv"},
    {"verify", "--key"},
    {"compile", "", Told::kNo},  // What the daemon starts itself.
}};

std::string action_of(const NodeWords& words) {
  if (words.action != "library") return words.action;
  return words.action + " " + (words.rest.empty() ? "list" : words.rest[0]);
}

fs::path folder_of(const NodeWords& words) {
  return words.folder.empty() ? fs::path(kUsualFolder) : fs::path(words.folder);
}

// For those who have no more than the folder. Of its settings only these are read: a slip in one of
// them is no reason not to reach a node that runs by those of before.
Result<node::NodePlaces> places_of(const NodeWords& words) {
  Problems problems;
  auto places = node::NodePlaces::read(folder_of(words), problems);
  if (places) return *std::move(places);
  write_to_stderr(problems.text());
  return failure(Errc::kInvalid,
                 fmt::format("{}: {}", folder_of(words).string(), problems.summary()));
}

Result<std::string> socket_of(const NodeWords& words) {
  if (!words.socket.empty()) return words.socket;
  auto places = places_of(words);
  if (places) return places->control_socket.string();
  return failure(places.error().code(),
                 fmt::format("{}: where the node's control socket is cannot be read there: name "
                             "it with --socket",
                             places.error().message()));
}

Result<std::string> at_socket(const NodeWords& words, std::string_view method,
                              std::string_view target, std::string_view body = {}) {
  TRY(std::string socket, socket_of(words));
  return ask_control(socket, method, target, body);
}

// What was answered, indented for people.
void print_json(const json::value& value, std::string indent = {}) {
  if (!value.is_object()) {
    fmt::print("{}{}\n", indent, without_controls(json::serialize(value)));
    return;
  }
  for (const auto& [key, each] : value.get_object()) {
    if (each.is_array() && !each.get_array().empty()) {
      fmt::print("{}{}:\n", indent, std::string(key));
      for (const json::value& one : each.get_array()) {
        print_json(one, indent + "  ");
        if (one.is_object()) fmt::print("\n");
      }
      continue;
    }
    std::string text = each.is_string() ? std::string(each.get_string()) : json::serialize(each);
    fmt::print("{}{}: {}\n", indent, std::string(key), without_controls(text));
  }
}

Result<int> show(const NodeWords& words, std::string_view target) {
  TRY(std::string text, at_socket(words, "GET", target));
  if (words.json) {
    TRY_VOID(print_line(text));
    return 0;
  }
  boost::system::error_code bad;
  print_json(json::parse(text, bad));
  TRY_VOID(finish_output());
  return 0;
}

Result<int> tell(const NodeWords& words, std::string_view method, std::string_view target,
                 std::string_view body = {}) {
  TRY(std::string text, at_socket(words, method, target, body));
  boost::system::error_code bad;
  json::value said = json::parse(text, bad);
  if (!bad && said.is_object()) {
    if (const auto* warnings = said.get_object().if_contains("warnings");
        warnings != nullptr && warnings->is_string()) {
      write_to_stderr(std::string(warnings->get_string()));
    }
    if (const auto* module = said.get_object().if_contains("module")) {
      TRY_VOID(print_line(std::string(module->as_string())));
    }
  }
  return 0;
}

Result<int> init(const NodeWords& words) {
  std::string folder = words.rest.empty() ? folder_of(words).string() : words.rest[0];
  TRY_VOID(node::init_folder(folder));
  say(fmt::format("weft: {} is ready: look at node.toml in it, then `weft node start --dir {}`",
                  folder, folder));
  return 0;
}

// Of this machine, as others may reach it: no loopback, and no link's own.
std::optional<std::string> own_address(int family) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return std::nullopt;
  std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> held(all, ::freeifaddrs);
  for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != family) continue;
    auto address = IpAddress::of(*each->ifa_addr);
    if (!address) continue;
    AddressKind kind = kind_of(*address);
    if (kind != AddressKind::kLoopback && kind != AddressKind::kLinkLocal) {
      return address->text();
    }
  }
  return std::nullopt;
}

// "192.168.1.4:7420" of "https://0.0.0.0:7420/": what others name it by.
std::string shown_address(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  if (url.starts_with(kScheme)) url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  std::size_t colon = url.rfind(':');
  std::string_view host = url.substr(0, colon);
  std::string_view port = url.substr(std::min(colon, url.size()));
  if (host == "0.0.0.0") return own_address(AF_INET).value_or("127.0.0.1") + std::string(port);
  if (host == "[::]") return fmt::format("[{}]{}", own_address(AF_INET6).value_or("::1"), port);
  return std::string(url);
}

Result<int> start(const NodeWords& words, StopSignals& signals) {
  if (auto raised = raise_open_files(); !raised) log::warn("weft", raised.error().message());
  Problems problems;
  std::atomic<bool> asked = false;
  std::mutex mutex;
  std::optional<Error> broken;  // Guarded.
  auto started = node::daemon::Node::start({.folder = folder_of(words),
                                            .compiler = {kSelf, "node", "compile"},
                                            .broken =
                                                [&](const Error& why) {
                                                  std::lock_guard hold(mutex);
                                                  broken = why;
                                                  asked = true;
                                                  signals.interrupt();
                                                }},
                                           problems);
  write_to_stderr(problems.text());
  if (!started) {
    if (!problems.failed()) return std::unexpected(std::move(started).error());
    return failure(Errc::kInvalid, fmt::format("not started: {}", problems.summary()));
  }
  node::daemon::Node& node = **started;
  auto policy = node.parts().policy.get();
  TRY(auto control,
      node::control::ControlServer::start(node, {.path = policy->settings.control_socket.string(),
                                                 .permits = policy->settings.control_permits,
                                                 .stop = [&] {
                                                   asked = true;
                                                   signals.interrupt();
                                                 }}));
  auto status = node.status();
  for (const std::string& url : status.urls) {
    say(fmt::format("{} {}@{}", status.name, status.key.text(), shown_address(url)));
  }
  if (!words.quiet) say(fmt::format("control: {}", policy->settings.control_socket.string()));
  signals.hold();
  for (;;) {
    auto signal = signals.wait();
    if (signal == SIGHUP) {
      Problems again;
      bool done = node.reload(node.change(), again);
      write_to_stderr(again.text());
      log::info("node", done ? "reloaded" : "not reloaded: all stays as it was");
    } else if (signal || asked) {
      break;
    }
  }
  log::info("node", "stopping: runs under way are finished first");
  control.reset();
  node.stop(Deadline::after(kStopMax));
  std::lock_guard hold(mutex);
  if (broken)
    return std::unexpected(std::move(*broken).within("the node ends, as it can bill nothing"));
  return 0;
}

Result<int> library(const NodeWords& words) {
  std::string what = words.rest.empty() ? "list" : words.rest[0];
  if (what == "list" && words.rest.size() <= 1) return show(words, "/libraries");
  if (what == "add" && words.rest.size() == 2) {
    std::error_code failed;
    fs::path file = fs::absolute(words.rest[1], failed);
    std::string name = words.name.empty() ? file.stem().string() : words.name;
    std::string version = words.version.empty() ? "0.1.0" : words.version;
    return tell(words, "POST", "/libraries",
                json::serialize(
                    json::object{{"file", file.string()}, {"name", name}, {"version", version}}));
  }
  if (what == "remove" && words.rest.size() == 2) {
    return tell(words, "DELETE", "/libraries/" + words.rest[1]);
  }
  return failure(Errc::kInvalid,
                 "write weft node library list, add FILE [--name N] [--version V], or remove "
                 "NAME[@VERSION]");
}

// From the files, which another process may be writing: a node need not run.
Result<node::events::EventReader> reader_of(const NodeWords& words) {
  TRY(auto places, places_of(words));
  return node::events::EventReader::open(places.state / "events", words.from);
}

Result<int> events(const NodeWords& words) {
  TRY(auto reader, reader_of(words));
  for (;;) {
    TRY(auto event, reader.next());
    if (!event) break;
    TRY_VOID(print_line(node::events::cloud_event(*event, reader.node())));
  }
  if (!words.follow) return 0;
  TRY(std::string socket, socket_of(words));
  std::string line;
  auto take = [&](std::string_view bytes) {
    for (char c : bytes) {
      if (c != '\n') {
        line.push_back(c);
        continue;
      }
      constexpr std::string_view kData = "data: ";
      bool more = !line.starts_with(kData) ||
                  print_line(std::string_view(line).substr(kData.size())).has_value();
      line.clear();
      if (!more || std::ferror(stdout) != 0) return false;
    }
    return true;
  };
  TRY_VOID(node::control::follow_control(socket, fmt::format("/events?from={}", reader.position()),
                                         take));
  return 0;
}

Result<int> bill(const NodeWords& words) {
  if (!words.by.empty() && words.by != "key" && words.by != "group") {
    return failure(Errc::kInvalid, fmt::format("--by {}: write key or group", words.by));
  }
  TRY(auto reader, reader_of(words));
  node::events::Bill sums(words.by == "key" ? node::events::BillBy::kKey
                                            : node::events::BillBy::kGroup);
  for (;;) {
    TRY(auto event, reader.next());
    if (!event) break;
    sums.add(*event);
  }
  fmt::print("{}", words.json  ? node::events::bill_json(sums)
                   : words.csv ? node::events::bill_csv(sums)
                               : node::events::bill_table(sums));
  TRY_VOID(finish_output());
  return 0;
}

Result<int> verify(const NodeWords& words) {
  if (words.rest.size() != 2 || words.key.empty()) {
    return failure(Errc::kInvalid, "write weft node verify REQUEST RECEIPT --key NODE'S-KEY");
  }
  TRY(node::NamedKey named, key_called(words.key));
  const node::PublicKey& key = named.key;
  TRY(std::string request, read_file(words.rest[0], kProofBytesMax));
  TRY(std::string receipt, read_file(words.rest[1], kProofBytesMax));
  TRY(auto line,
      node::events::verify_line({.request = as_bytes(request), .receipt = as_bytes(receipt)}, key));
  const node::Usage& usage = line.receipt.usage;
  TRY_VOID(
      print_line(fmt::format("proven: {} of {} asked by {}: {}, processor {} ns, memory {} bytes "
                             "at most, in {} bytes, out "
                             "{} bytes, event {}",
                             to_string(line.receipt.action), key.text(), line.requester.text(),
                             to_string(line.receipt.outcome), usage.cpu_ns, usage.memory_peak_bytes,
                             usage.bytes_in, usage.bytes_out, line.receipt.event)));
  return 0;
}

}  // namespace

void add_node_options(CLI::App& verb, NodeWords& words) {
  verb.add_option("ACTION", words.action,
                  "init, start, status, runs, cancel, drain, undrain, reload, stop, library, "
                  "events, bill, verify")
      ->required();
  verb.add_option("WORDS", words.rest, "What belongs to it");
  verb.add_option("--dir", words.folder, "The node's folder, with node.toml; default: /etc/weft")
      ->type_name("DIR");
  verb.add_option("--socket", words.socket,
                  "The running node's control socket; default: the one that node.toml names")
      ->type_name("PATH");
  verb.add_option("--name", words.name, "With library add: its name; default: the file's");
  verb.add_option("--version", words.version, "With library add: its version; default: 0.1.0");
  verb.add_option("--by", words.by, "With bill: key or group");
  verb.add_option("--key", words.key, "With verify: the node's key, its digits or a file of it");
  verb.add_option("--from", words.from, "With events and bill: the first event");
  verb.add_flag("--follow", words.follow, "With events: go on as they come");
  verb.add_flag("--json", words.json, "With status, runs, library list and bill: JSON");
  verb.add_flag("--csv", words.csv, "With bill: CSV");
  verb.add_flag("--quiet", words.quiet, "With start: print nothing but the address line");
  take_by_action(verb, kActions, [&words] { return action_of(words); });
  verb.footer(
      "weft node init DIR makes a folder with settings, a key and a group; weft node start --dir "
      "DIR runs the node. All others speak to the node that runs, at its control socket, whatever "
      "else is wrong in node.toml by now; --socket PATH says where that is, if the files cannot. "
      "events, bill and verify need none: events and bill read the log, as the node's user or "
      "root.\n"
      "library add FILE [--name N] [--version V], library remove NAME[@VERSION], cancel RUN, "
      "verify REQUEST RECEIPT --key KEY.");
}

Result<int> run_node(const NodeWords& words, StopSignals& signals) {
  const std::string& action = words.action;
  if (action == "init") return init(words);
  if (action == "start") return start(words, signals);
  if (action == "status") return show(words, "/status");
  if (action == "runs") return show(words, "/runs");
  if (action == "drain" || action == "undrain" || action == "reload" || action == "stop") {
    return tell(words, "POST", "/" + action);
  }
  if (action == "cancel" && words.rest.size() == 1) {
    return tell(words, "DELETE", "/runs/" + words.rest[0]);
  }
  if (action == "library") return library(words);
  // What the daemon starts itself: a module compiled where it can be stopped.
  if (action == "compile" && words.rest.size() == 2) {
    return node::daemon::compile_for_node(words.rest[0], words.rest[1]);
  }
  if (action == "events") return events(words);
  if (action == "bill") return bill(words);
  if (action == "verify") return verify(words);
  return failure(Errc::kInvalid, fmt::format("write weft node {} {}", action,
                                             action == "cancel" ? "RUN" : "FILE FOLDER"));
}

}  // namespace weft
