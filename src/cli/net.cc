#include "cli/net.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/prepared_call.h"
#include "base/console.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/shown_text.h"
#include "base/whole_file.h"
#include "cli/actions.h"
#include "cli/cancel_there.h"
#include "cli/find_nodes.h"
#include "cli/net_list.h"
#include "cli/run_options.h"
#include "cli/standard_output.h"
#include "engine/runtime.h"
#include "io/loop.h"
#include "io/run_task.h"
#include "node/client/description.h"
#include "node/client/remote_node.h"
#include "node/client/spread.h"
#include "node/links/offered.h"
#include "node/object/key_file.h"
#include "node/runs/command_line.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using node::client::RemoteNode;

constexpr std::array<ActionOptions, 7> kActions{{
    {"list", "--key --wait --interface --loopback --json --tree"},
    {"describe", "--key --wait --interface --loopback --json"},
    {"run", "--key --wait --interface --loopback --receipt --time --cpu --memory"},
    {"call", "--key --wait --interface --loopback --receipt --time --cpu --memory --args-json"},
    {"store", "--key --wait --interface --loopback --time"},
    {"fetch", "--key --wait --interface --loopback --time --output"},
    {"cancel", "--key --wait --interface --loopback"},
}};
constexpr std::size_t kInputMax = std::size_t{15} << 20;

std::string usual_key() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (config != nullptr && *config != '\0') return fmt::format("{}/weft/key.pem", config);
  return fmt::format("{}/.config/weft/key.pem", home == nullptr ? "" : home);
}

Result<node::SigningKey> key_of(const NetWords& words) {
  std::string file = words.key.empty() ? usual_key() : words.key;
  auto key = node::read_key_file(file);
  if (key || !words.key.empty() || key.error().code() != Errc::kNotFound) return key;
  return failure(Errc::kNotFound,
                 fmt::format("there is no key {}: make one with `weft key new {}`, or name one "
                             "with --key",
                             file, file));
}

struct Chunked {
  node::library::ChunkList list;
  std::shared_ptr<Fd> file;  // Shared with the reading function.
};

Result<Chunked> chunked(const std::string& path) {
  TRY(auto list, node::library::ChunkList::of_file(path));
  auto file = std::make_shared<Fd>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!*file) return system_failure(fmt::format("open {}", path), errno);
  return Chunked{std::move(list), std::move(file)};
}

std::function<Result<Bytes>(std::uint32_t)> reader_of(const Chunked& module) {
  return [&module](std::uint32_t index) -> Result<Bytes> {
    Bytes chunk(module.list.chunk_size(index));
    TRY(std::size_t count,
        read_at(module.file->get(), chunk, std::uint64_t{index} * node::library::kChunkBytes));
    chunk.resize(count);
    TRY_VOID(module.list.verify(index, chunk));
    return chunk;
  };
}

// "HASH", a library of the node's, or a file that is stored where the node has it not.
struct Wanted {
  node::Hash module;
  std::optional<Chunked> from = {};
  std::vector<ExportedFunction> exports = {};  // Of a library, as the node tells them.
};

std::vector<ExportedFunction> exported(std::span<const node::library::LibraryFunction> functions) {
  std::vector<ExportedFunction> exports;
  for (const auto& each : functions) {
    std::size_t cut = each.name.rfind('#');
    bool bare = cut == std::string::npos;
    exports.push_back({.interface = bare ? "" : each.name.substr(0, cut),
                       .name = bare ? each.name : each.name.substr(cut + 1),
                       .signature = each.signature});
  }
  return exports;
}

Result<Wanted> library_there(const std::string& name, RemoteNode& node, Loop& loop,
                             Deadline deadline) {
  TRY(std::string told, run_task(loop, node.describe(deadline)));
  TRY(auto description, node::client::read_description(told));
  TRY(const node::library::Library* found, node::links::find_library(description, name));
  return Wanted{.module = found->module, .exports = exported(found->functions)};
}

Result<Wanted> wanted(const std::string& text, RemoteNode& node, Loop& loop, Deadline deadline) {
  if (auto hash = node::Hash::parse(text)) return Wanted{*hash};
  std::error_code failed;
  if (!fs::exists(text, failed)) {
    auto there = library_there(text, node, loop, deadline);
    if (there || there.error().code() != Errc::kNotFound) return there;
    return failure(Errc::kNotFound, fmt::format("there is no file {} here, and of the node: {}",
                                                text, there.error().message()));
  }
  TRY(Chunked module, chunked(text));
  node::Hash name = module.list.name();
  return Wanted{name, std::move(module)};
}

Result<node::RequestLimits> limits_of(const NetWords& words) {
  node::RequestLimits limits;
  TRY(auto time, duration_of("--time", words.time));
  limits.time_ms = static_cast<std::uint64_t>(time.count());
  if (!words.cpu.empty()) {
    auto cpu = read_duration(words.cpu);
    if (!cpu) return std::unexpected(std::move(cpu).error().within("--cpu " + words.cpu));
    limits.cpu_ns = static_cast<std::uint64_t>(cpu->count());
  }
  if (!words.memory.empty()) {
    auto memory = parse_size(words.memory);
    if (!memory)
      return std::unexpected(std::move(memory).error().within("--memory " + words.memory));
    limits.memory_bytes = *memory;
  }
  return limits;
}

// What a run puts out, here. Its end is awaited also where it cannot be written.
class Output {
 public:
  void write(int fd, BytesView bytes) {
    while (!bytes.empty() && error_ == 0) {
      ssize_t count = ::write(fd, bytes.data(), bytes.size());
      if (count >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(count));
      } else if (errno == EAGAIN) {
        pollfd writable{fd, POLLOUT, 0};
        if (::poll(&writable, 1, kReaderWaitMs) == 0) error_ = ETIMEDOUT;
      } else if (errno != EINTR) {
        error_ = errno;
      }
    }
  }
  // Who reads may leave when it has enough.
  Result<void> finish() const {
    if (error_ == 0 || error_ == EPIPE) return {};
    return system_failure("writing what came", error_);
  }

 private:
  static constexpr int kReaderWaitMs = 60'000;  // Of a terminal or a pipe that does not block.
  int error_ = 0;
};

// What proves the line of a bill, where somebody wants to keep it.
Result<void> keep_proof(const NetWords& words, const node::client::RemoteEnd& end) {
  if (words.receipt.empty()) return {};
  TRY_VOID(write_whole(words.receipt + ".request", end.request, Durable::kYes));
  return write_whole(words.receipt + ".receipt", end.receipt_bytes, Durable::kYes);
}

std::string_view ended_as(node::Outcome outcome) {
  switch (outcome) {
    case node::Outcome::kTrapped: return "trapped";
    case node::Outcome::kLimited: return "reached a limit";
    case node::Outcome::kCancelled: return "was cancelled";
    case node::Outcome::kUnfit: return "cannot run";
    default: return "failed";
  }
}

Result<int> code_of(const node::Receipt& receipt) {
  if (receipt.outcome == node::Outcome::kDone) return receipt.exit_code;
  return failure(Errc::kTrap,
                 fmt::format("it {} there: {}", ended_as(receipt.outcome), receipt.message));
}

Result<Bytes> standard_input() {
  Bytes input;
  if (::isatty(STDIN_FILENO) != 0) return input;
  std::uint8_t room[65'536];
  for (;;) {
    ssize_t count = ::read(STDIN_FILENO, room, sizeof room);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("reading standard input", errno);
    if (count == 0) return input;
    input.insert(input.end(), room, room + count);
    if (input.size() > kInputMax) {
      return failure(Errc::kLimit, fmt::format("standard input has more than {} bytes", kInputMax));
    }
  }
}

Deadline deadline_of(const node::RequestLimits& limits) {
  constexpr std::chrono::seconds kBeside{60};  // For moving the module, and the way.
  return Deadline::after(std::chrono::milliseconds(limits.time_ms) + kBeside);
}

// What the words want executed, and on which node.
struct There {
  const NetWords& words;
  RemoteNode& node;
  Loop& loop;
  StopSignals& signals;
};

struct Executed {
  node::client::RemoteEnd end;
  int code = 0;  // What the process ends with.
};

// To its end, which a signal brings about.
Result<Executed> execute(const There& there, node::client::RemoteRun run,
                         node::ProvenOutput::Frame take) {
  Deadline deadline = deadline_of(run.limits);
  CancelOnSignal cancel(there.loop, there.node, there.signals);
  auto end = run_task(there.loop, there.node.execute(std::move(run), std::move(take), deadline));
  std::optional<int> signalled = cancel.finish();
  if (!end) return std::unexpected(std::move(end).error());
  TRY_VOID(keep_proof(there.words, *end));
  if (signalled && end->receipt.outcome == node::Outcome::kCancelled) {
    say("weft: the run was cancelled there");
    return Executed{*std::move(end), *signalled};
  }
  TRY(int code, code_of(end->receipt));
  return Executed{*std::move(end), code};
}

Result<int> run_there(const There& there) {
  const NetWords& words = there.words;
  TRY(auto limits, limits_of(words));
  TRY(Wanted module, wanted(words.rest[1], there.node, there.loop, deadline_of(limits)));
  TRY(Bytes input, standard_input());
  node::client::RemoteRun run{.module = module.module, .limits = limits};
  run.arguments = node::runs::command_line_bytes(
      {.words = {words.rest.begin() + 2, words.rest.end()}, .input = std::move(input)});
  if (module.from) {
    run.list = &module.from->list;
    run.chunk = reader_of(*module.from);
  }
  Output output;
  auto take = [&](node::OutputStream stream, BytesView bytes) {
    output.write(stream == node::OutputStream::kStderr ? STDERR_FILENO : STDOUT_FILENO, bytes);
  };
  TRY(Executed done, execute(there, std::move(run), take));
  TRY_VOID(output.finish());
  return done.code;
}

// To its result, which is printed.
Result<int> finish_call(const There& there, const CallForm& form, const PreparedCall& prepared,
                        node::client::RemoteRun run) {
  Bytes result;
  Output output;
  auto take = [&](node::OutputStream stream, BytesView bytes) {
    if (stream == node::OutputStream::kResult) {
      result.insert(result.end(), bytes.begin(), bytes.end());
    } else {
      output.write(STDERR_FILENO, bytes);
    }
  };
  TRY(Executed done, execute(there, std::move(run), take));
  if (done.end.receipt.outcome == node::Outcome::kDone) {
    TRY(std::string text, result_text(prepared, form, result));
    TRY_VOID(print_line(text));
  }
  return done.code;
}

// The types are those of the file here, or those that the node tells of its library: arguments are
// read, and the result is shown, by them.
Result<int> call_there(const There& there) {
  const NetWords& words = there.words;
  CallForm form{.function = words.rest[2],
                .arguments = words.rest.size() > 3 ? words.rest[3] : std::string(),
                .json = words.args_json,
                .json_flag = "--args-json"};
  TRY(CallText call, read_call(form));
  TRY(auto limits, limits_of(words));
  TRY(Wanted module, wanted(words.rest[1], there.node, there.loop, deadline_of(limits)));
  if (module.from) {
    TRY(auto runtime, Runtime::create({.cache_folder = default_cache_folder()}));
    TRY(auto program, runtime->load(words.rest[1], Limits().memory_bytes));
    module.exports = program->info().exports;
  } else if (module.exports.empty()) {
    return failure(Errc::kInvalid,
                   "weft net call: name a file, or a library of the node's: the call is read by "
                   "its types");
  }
  auto prepared = prepare_call(form, call, module.exports);
  if (!prepared) return std::unexpected(std::move(prepared).error().within(words.rest[1]));
  const ExportedFunction& function = module.exports[prepared->number];
  node::client::RemoteRun run{.module = module.module,
                              .function = FunctionName{function.interface, function.name}.text(),
                              .arguments = prepared->arguments,
                              .limits = limits};
  if (module.from) {
    run.list = &module.from->list;
    run.chunk = reader_of(*module.from);
  }
  return finish_call(there, form, *prepared, std::move(run));
}

// A service of the node's, which names its own types.
Result<int> call_service(const There& there) {
  const NetWords& words = there.words;
  CallForm form{.function = words.rest[1],
                .arguments = words.rest.size() > 2 ? words.rest[2] : std::string(),
                .json = words.args_json,
                .json_flag = "--args-json"};
  TRY(CallText call, read_call(form));
  TRY(auto limits, limits_of(words));
  TRY(std::string told, run_task(there.loop, there.node.describe(deadline_of(limits))));
  TRY(auto description, node::client::read_description(told));
  std::vector<ExportedFunction> functions;
  for (const auto& service : description.services) {
    std::ranges::move(exported(service.functions), std::back_inserter(functions));
  }
  auto prepared = prepare_call(form, call, functions);
  if (!prepared) return std::unexpected(std::move(prepared).error().within(words.rest[0]));
  const ExportedFunction& function = functions[prepared->number];
  node::client::RemoteRun run{.function = FunctionName{function.interface, function.name}.text(),
                              .arguments = prepared->arguments,
                              .limits = limits};
  return finish_call(there, form, *prepared, std::move(run));
}

Result<int> fetch(const NetWords& words, RemoteNode& node, Loop& loop) {
  if (words.output.empty()) {
    return failure(Errc::kInvalid, "weft net fetch NODE HASH|LIBRARY: name a file with --output");
  }
  Bytes all;
  auto take = [&](BytesView chunk) -> Result<void> {
    all.insert(all.end(), chunk.begin(), chunk.end());
    return {};
  };
  TRY(auto limits, limits_of(words));
  Deadline deadline = deadline_of(limits);
  auto named = node::Hash::parse(words.rest[1]);
  if (!named) {
    TRY(Wanted library, library_there(words.rest[1], node, loop, deadline));
    named = library.module;
  }
  TRY(auto list, run_task(loop, node.fetch(*named, take, deadline)));
  TRY_VOID(write_whole(words.output, all, Durable::kYes));
  say(fmt::format("weft: {} bytes in {}", list.size(), words.output));
  return 0;
}

Result<int> store(const NetWords& words, const node::SigningKey& key, Loop& loop) {
  TRY(auto found, find_nodes(loop, words, words.rest[0]));
  TRY(Chunked module, chunked(words.rest[1]));
  TRY(auto limits, limits_of(words));
  for (const Error& each : found.away)
    say(fmt::format("weft: {}", without_controls(each.message())));
  if (found.nodes.empty()) return 1;
  if (found.nodes.size() == 1 && found.away.empty()) {
    RemoteNode node(loop, found.nodes[0], key);
    TRY(std::size_t sent,
        run_task(loop, node.store(module.list, reader_of(module), deadline_of(limits))));
    TRY_VOID(print_line(module.list.name().text()));
    say(fmt::format("weft: {} of {} chunks were sent", sent, module.list.count()));
    return 0;
  }
  auto began = Deadline::Clock::now();
  TRY(auto stored,
      run_task(loop, node::client::spread(loop, std::move(found.nodes), key, module.list,
                                          reader_of(module), deadline_of(limits))));
  std::chrono::duration<double> took = Deadline::Clock::now() - began;
  std::size_t sent = 0;
  std::size_t failed = found.away.size();
  std::size_t meant = stored.size() + found.away.size();
  for (const node::client::SpreadTo& each : stored) {
    sent += each.chunks_sent;
    if (!each.failed) continue;
    ++failed;
    say(fmt::format("weft: {}: {}", each.address.text(), without_controls(each.failed->message())));
  }
  say(fmt::format("weft: {} of {} nodes have it after {:.2f} s; {} chunks of {} were sent",
                  meant - failed, meant, took.count(), sent, module.list.count()));
  if (failed > 0) return 1;
  TRY_VOID(print_line(module.list.name().text()));
  return 0;
}

// Whether no file stands before the call.
bool is_service_call(const NetWords& words) {
  std::error_code failed;
  return words.rest.size() == 2 ||
         (words.rest[1].contains('#') && !fs::exists(words.rest[1], failed));
}

}  // namespace

void add_net_options(CLI::App& verb, NetWords& words) {
  verb.add_option("ACTION", words.action, "list, describe, run, call, store, fetch, cancel");
  verb.add_option("WORDS", words.rest, "The node, and what belongs to it");
  verb.add_option("--key", words.key, "Your key; default: ~/.config/weft/key.pem")
      ->type_name("FILE");
  verb.add_option("--output", words.output, "With fetch: where the module goes")->type_name("FILE");
  verb.add_option("--receipt", words.receipt,
                  "With run and call: keep what proves it in FILE.request and FILE.receipt")
      ->type_name("FILE");
  verb.add_option("--wait", words.wait, "How long to listen for nodes; default: 1500ms")
      ->type_name("TIME");
  verb.add_option("--time", words.time, "How long it may take there; default: 60s; 1h at most")
      ->type_name("TIME");
  verb.add_option("--cpu", words.cpu, "Processor time it may take there; default: 10s")
      ->type_name("TIME");
  verb.add_option("--memory", words.memory, "Memory it may take there; default: 64MiB")
      ->type_name("SIZE");
  verb.add_option("--interface", words.interfaces, "Listen on this interface alone");
  verb.add_flag("--json", words.json, "With list and describe: JSON");
  verb.add_flag("--tree", words.tree,
                "With list: each node with all that it says, and what it tells you");
  verb.add_flag("--args-json", words.args_json, "With call: arguments and result are JSON");
  verb.add_flag("--loopback", words.loopback, "Listen on this machine alone, too: for tests");
  take_by_action(verb, kActions, [&words] { return words.action; });
  verb.footer(
      "describe NODE; run NODE MODULE [WORDS]; call NODE [MODULE] CALL; store NODE,NODE|all FILE; "
      "fetch NODE LIBRARY|HASH --output FILE; cancel NODE RUN. A node is KEY@ADDRESS:PORT, or its "
      "name or the first digits of its key as `weft net` shows them. A module is a file, which is "
      "sent where the node does not have it, a library of the node's (acme:words, the newest, or "
      "acme:words@1.2), or a hash; without one it is a service of the node's that is called. "
      "Stored at several nodes, a file is sent about once, and they take it from each other. A "
      "word that looks like an option stands behind --. A signal cancels there what run and call "
      "have begun. run sends standard input, to its end, where that is no terminal: </dev/null "
      "where it has none.");
}

Result<int> run_net(const NetWords& words, StopSignals& signals) {
  if (words.action == "list" && words.rest.empty()) {
    auto own = key_of(words);
    if (!own && !words.key.empty()) return std::unexpected(std::move(own).error());
    return list_nodes(words, own ? &*own : nullptr);
  }
  struct Known {
    std::string_view name;
    std::size_t least;
    std::string_view usage;
  };
  static constexpr Known kKnown[] = {{"describe", 1, "describe NODE"},
                                     {"run", 2, "run NODE FILE|LIBRARY|HASH [WORDS]"},
                                     {"call", 2, "call NODE [FILE|LIBRARY] CALL"},
                                     {"store", 2, "store NODE,NODE|all FILE"},
                                     {"fetch", 2, "fetch NODE LIBRARY|HASH --output FILE"},
                                     {"cancel", 2, "cancel NODE RUN"}};
  const Known* known = std::ranges::find(kKnown, words.action, &Known::name);
  if (known == std::end(kKnown)) {
    return failure(Errc::kInvalid, "weft net list takes no words: write weft net describe NODE");
  }
  if (words.rest.size() < known->least) {
    return failure(Errc::kInvalid, fmt::format("write weft net {}", known->usage));
  }
  Result<node::Hash> run;
  if (words.action == "cancel") {
    run = node::Hash::parse(words.rest[1]);
    if (!run) {
      return failure(Errc::kInvalid,
                     fmt::format("\"{}\" is no run: write its 64 digits of 0-9a-f, as weft node "
                                 "runs shows them there",
                                 words.rest[1]));
    }
  }
  TRY(auto key, key_of(words));
  if (words.action == "describe") return describe_node(words, key);
  Loop loop;
  if (words.action == "store") return store(words, key, loop);
  TRY(auto address, find_node(loop, words, words.rest[0]));
  RemoteNode node(loop, address, key);
  There there{words, node, loop, signals};
  if (words.action == "run") return run_there(there);
  if (words.action == "call") {
    return is_service_call(words) ? call_service(there) : call_there(there);
  }
  if (words.action == "fetch") return fetch(words, node, loop);
  TRY_VOID(run_task(loop, node.cancel(*run, Deadline::after(std::chrono::seconds(30)))));
  return 0;
}

}  // namespace weft
