#include "node/daemon/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/log.h"
#include "base/thread_name.h"
#include "node/daemon/node_impl.h"
#include "node/daemon/services.h"
#include "node/object/key_file.h"
#include "node/runs/compile_apart.h"
#include "node/runs/resources.h"
#include "node/wire/identity.h"
#include "values/call_text.h"

namespace weft::node::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kHouseEvery{1};
// From cancelling what is left to its receipts: what takes longer is told of, each time that it
// has.
constexpr std::chrono::seconds kCancelledUsual{5};
// At the end, until there is room in the log of events for chunks that moved.
constexpr std::chrono::seconds kBillMax{5};
// From one look at whether cancelled calls are over to the next.
constexpr std::chrono::milliseconds kUnwindLook{5};
// Of a guest that computes, before others of its loop have their turn: all of them are strangers to
// each other, and a small call has several turns.
constexpr std::chrono::milliseconds kTick{2};
constexpr std::size_t kDiskThreads = 4;
constexpr std::size_t kDiskWaitingMax = 4'096;
// Of the disk, where the quota says nothing.
constexpr std::uint64_t kStorageUsual = std::uint64_t{4} << 30;

HttpLimits wire_limits() {
  HttpLimits limits;
  limits.body_bytes_max = kArgumentsMax + 2 * kRequestBytesMax;
  limits.connections_max = 4'096;
  return limits;
}

std::size_t loops_of(const NodeOptions& options, const NodeSettings& settings) {
  if (options.loops != 0) return options.loops;
  std::size_t most = std::max(1u, std::thread::hardware_concurrency());
  if (settings.total.cores) most = std::min<std::size_t>(most, *settings.total.cores);
  return std::max<std::size_t>(1, most);
}

// The same in the process that compiles: what it makes is found by what it was made with.
RuntimeOptions runtime_options(const std::string& cache_folder) {
  RuntimeOptions with;
  with.cache_folder = cache_folder;
  with.tick = kTick;
  with.compiling = RuntimeOptions::Compiling::kAlone;
  return with;
}

// What a reload cannot change, told where it would.
void warn_of_fixed(const NodeSettings& now, const NodeSettings& next, Problems& problems) {
  auto tell = [&](bool same, std::string_view what) {
    if (same) return;
    problems.warn({.file = (next.folder / "node.toml").string()},
                  fmt::format("{} changed, which a reload does not heed", what),
                  "start the node again");
  };
  tell(now.name == next.name, "name");
  tell(now.discovery.on == next.discovery.on &&
           now.discovery.interfaces == next.discovery.interfaces,
       "[node.discovery]");
  tell(now.total.storage_bytes == next.total.storage_bytes, "storage of [quota]");
  tell(now.total.cores == next.total.cores, "cores of [quota]");
  tell(now.listen == next.listen, "listen");
  tell(now.key == next.key, "key");
  tell(now.state == next.state, "state");
  tell(now.control_socket == next.control_socket, "control");
  tell(now.control_permits == next.control_permits, "[control]");
  tell(now.events == next.events, "events.retain");
}

// What a component exports.
Result<std::vector<library::LibraryFunction>> component_exports(Runtime& runtime,
                                                                const std::string& file) {
  TRY(auto program, runtime.load(file, Limits().memory_bytes));
  std::vector<library::LibraryFunction> functions;
  for (const ExportedFunction& each : program->info().exports) {
    functions.push_back({FunctionName{each.interface, each.name}.text(), each.signature});
  }
  return functions;
}

}  // namespace

int compile_for_node(const std::string& file, const std::string& cache_folder) {
  return runs::compile_module(file, runtime_options(cache_folder),
                              runs::ModulePlans::Options().memory_bytes_max);
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::start(NodeOptions options, Problems& problems) {
  auto policy = Policy::read(options.folder, problems);
  if (policy == nullptr) return failure(Errc::kInvalid, "its settings are wrong");
  TRY(SigningKey key, read_key_file(policy->settings.key));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(policy), std::move(key));
  TRY_VOID(impl->open());
  if (!impl->serve(impl->policy.get()->settings, problems)) {
    return failure(Errc::kInvalid, "its services are wrong");
  }
  // What an earlier start served or was about to add.
  let_go(*impl->parts, own_modules(*impl->parts));
  TRY_VOID(impl->listen());
  TRY_VOID(impl->discover());
  impl->house = std::thread([raw = impl.get()] { raw->keep_house(); });
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

Result<void> Node::Impl::open() {
  auto now = policy.get();
  const NodeSettings& settings = now->settings;
  std::error_code failed;
  fs::create_directories(settings.state, failed);
  if (failed)
    return system_failure(fmt::format("make {}", settings.state.string()), failed.value());

  TRY(events, events::EventLog::open(settings.state / "events", key.public_key(),
                                     {.retain_bytes = settings.events.retain_bytes}));
  if (events->cut_bytes() > 0) {
    log::warn("node", "the log of events ended in an unfinished write, which is cut off",
              {{"bytes", std::to_string(events->cut_bytes())}});
  }
  TRY(ledger, Ledger::open(settings.state / "ledger", settings));
  TRY(seen, SeenRequests::open({.folder = settings.state / "seen"}, unix_now()));
  meter.emplace(*ledger);
  facts.emplace(*ledger, policy, key.public_key());
  TRY(modules, library::ModuleStore::open(
                   {.folder = settings.state / "modules",
                    .bytes_max = settings.total.storage_bytes.value_or(kStorageUsual)},
                   *meter));
  TRY(catalogue, library::Catalogue::open(settings.state / "catalogue.json"));
  admission = std::make_unique<Admission>(admits(), policy, *ledger, *seen);

  std::string cache = (settings.state / "compiled").string();
  TRY(runtime, Runtime::create(runtime_options(cache)));
  loops.emplace(
      Loops::Options{.count = loops_of(options, settings), .started = {}, .stopping = {}});
  places.remember(std::max(kEndedPlacesMax, loops->size() * runs::kFinishedMax));
  std::vector<std::unique_ptr<Capability>> served;
  served.push_back(std::make_unique<runs::ResourcesCapability>());
  capabilities.emplace(std::move(served));
  stores.emplace(settings.state / "services");
  runs::ModulePlans::Options compiling;
  if (!options.compiler.empty()) {
    compiling.apart = [this, cache](const std::string& file) {
      std::vector<std::string> command = options.compiler;
      command.push_back(file);
      command.push_back(cache);
      return runs::compile_apart(std::move(command), runs::kCompileMax);
    };
  }
  plans = std::make_unique<runs::ModulePlans>(*runtime, *capabilities, std::move(compiling));
  pool.emplace(Pool::Options{.threads = kDiskThreads, .waiting_max = kDiskWaitingMax});
  gatherings.emplace(gather::GatherParts{
      .key = key, .policy = policy, .ledger = *ledger, .modules = *modules, .pool = *pool});
  parts.emplace(NodeParts{.key = key,
                          .policy = policy,
                          .ledger = *ledger,
                          .admission = *admission,
                          .events = *events,
                          .modules = *modules,
                          .catalogue = *catalogue,
                          .services = services,
                          .tickets = tickets,
                          .gatherings = *gatherings,
                          .places = places,
                          .seats = seats,
                          .facts = *facts,
                          .pool = *pool,
                          .runs = running,
                          .disk_full = disk_full,
                          .own_failure = own_failure});
  return {};
}

AdmissionOptions Node::Impl::admits() {
  auto group_of_run = [this](const Hash& run,
                             const PublicKey& signer) -> std::optional<std::string> {
    auto place = places.find(run);
    if (!place || place->reply != signer) return std::nullopt;
    return place->group;
  };
  return {.node = key.public_key(), .group_of_run = group_of_run};
}

bool Node::Impl::serve(const NodeSettings& settings, Problems& problems) {
  auto next = services_of(settings, *parts, {*runtime, *capabilities, *stores}, problems);
  if (!next) return false;
  std::vector<Hash> before;
  for (const library::Service& each : catalogue->services()) before.push_back(each.module);
  // A call that finds a module in the catalogue finds its plan.
  ServicePlans::All earlier = services.all();
  ServicePlans::All both = next->plans;
  both.insert(earlier.begin(), earlier.end());
  services.set(std::move(both));
  if (auto set = catalogue->set_services(std::move(next->offered)); !set) {
    services.set(std::move(earlier));
    problems.error({.file = (settings.folder / "node.toml").string()}, set.error().message(), "");
    return false;
  }
  services.set(std::move(next->plans));
  let_go(*parts, before);
  return true;
}

Result<void> Node::Impl::listen() {
  sides.resize(loops->size());
  loops->on_each([this](Loop& loop, std::size_t index) {
    sides[index] = std::make_unique<LoopPart>(*runtime, loop, *parts, *plans);
  });
  for (std::size_t i = 0; i < sides.size(); ++i) seats.add(sides[i]->desk.runs(), (*loops)[i]);
  std::vector<HttpHandler*> handlers;
  for (const auto& side : sides) handlers.push_back(&side->handler);
  HttpServer::Options serve{.addresses = {}, .limits = wire_limits()};
  auto tls = wire::tls_of(key);
  for (const ListenAddress& each : policy.get()->settings.listen) {
    serve.addresses.push_back({.address = each.address, .port = each.port, .tls = tls});
  }
  TRY(server, HttpServer::listen(*loops, handlers, std::move(serve)));
  return {};
}

Result<void> Node::Impl::discover() {
  auto now = policy.get();
  if (!now->settings.discovery.on) return {};
  Result<void> opened;
  on_first([&](Loop& loop) {
    discovery::Discovery::Options with;
    with.speak = discovery::Discovery::Speak{.key = &key,
                                             .beacon = {.name = now->settings.name,
                                                        .port = server->port(),
                                                        .catalogue = catalogue->digest(),
                                                        .offers = catalogue->offers()}};
    with.network.interfaces.names = now->settings.discovery.interfaces;
    with.known = [this](const PublicKey& whom) { return !policy.get()->groups.of(whom).empty(); };
    with.changed = [this](discovery::NeighbourChange change, const discovery::Neighbour& whom) {
      facts->hears(change, whom);
    };
    auto made = discovery::Discovery::open(loop, std::move(with));
    if (made) {
      discovery = *std::move(made);
    } else {
      opened = std::unexpected(std::move(made).error().within("discovery"));
    }
  });
  return opened;
}

// Saves what is spent, bills chunks that moved, forgets nonces that have expired, lets go of
// modules.
void Node::Impl::keep_house() {
  name_thread("weft house");
  // What lasts is told once.
  struct Told {
    bool broken = false;
    void look(const Result<void>& done) {
      if (!done && !broken) log::error("node", done.error().message());
      broken = !done;
    }
  };
  Told saving;
  Told tidying;
  bool broken = false;
  std::unique_lock hold(house_mutex);
  for (unsigned turn = 0; !house_closed; ++turn) {
    house_closes.wait_for(hold, kHouseEvery);
    hold.unlock();
    // First: what waits for the disk may take long, and until then nothing that moved is written.
    static_cast<void>(bill_moved());
    if (turn % kLedgerSaveEvery.count() == 0) saving.look(ledger->save());
    tidying.look(seen->tidy(unix_now()));
    for (std::size_t i = 0; i < sides.size(); ++i) {
      (*loops)[i].post([&desk = sides[i]->desk] { desk.runs().let_go(); });
    }
    auto ended = events->ended();
    if (ended && !std::exchange(broken, true)) {
      log::error("node", ended->message());
      if (options.broken) options.broken(*ended);
    }
    hold.lock();
  }
}

// What is inside uses what is freed behind this, so there is no going on without it. Whoever stops
// the process has the deadline: what a node must not lose outlives that.
void Node::Impl::wait_until_empty(Gate& gate) {
  for (;;) {
    auto left = gate.close_and_wait(Deadline::after(kCancelledUsual));
    if (left) return;
    log::warn("node", left.error().message(), {{"what", "the node waits for it, to end"}});
  }
}

void Node::Impl::wait_until_unwound() {
  Deadline usual = Deadline::after(kCancelledUsual);
  for (;;) {
    std::atomic<bool> unwound = true;
    loops->on_each([&](Loop&, std::size_t index) {
      if (!sides[index]->desk.runs().runs().unwound()) unwound = false;
    });
    if (unwound) return;
    if (usual.passed()) {
      log::warn("node", "calls that were cancelled are not over: the node waits for them, to end");
      usual = Deadline::after(kCancelledUsual);
    }
    std::this_thread::sleep_for(kUnwindLook);
  }
}

// As many events as there are seconds in which something moved, each with the request that the
// chunks belong to.
bool Node::Impl::bill_moved() {
  for (;;) {
    // Without room in the log, what moved stays where it is counted, until there is some.
    auto room = events->reserve();
    if (!room) return false;
    auto next = tickets.take_moved(unix_now());
    if (!next) return true;
    const auto& [ticket, moved] = *next;
    bool stored = ticket.way == Tickets::Way::kWrite;
    events::Event event{.time = unix_now(),
                        .action = stored ? Action::kStore : Action::kFetch,
                        .requester = ticket.requester,
                        .group = event_group(ticket.group),
                        .request = ticket.request,
                        .module = ticket.module};
    event.usage.bytes_in = moved.bytes_in;
    event.usage.bytes_out = moved.bytes_out;
    if (auto told = events->append(std::move(event), *std::move(room), {}); !told) {
      log::error("node", "an event is lost", {{"why", told.error().message()}});
    }
  }
}

Node::Impl::~Impl() {
  {
    std::lock_guard hold(house_mutex);
    house_closed = true;
  }
  house_closes.notify_all();
  if (house.joinable()) house.join();
  if (loops) {
    if (discovery != nullptr) on_first([this](Loop&) { discovery.reset(); });
    server.reset();
    if (!sides.empty() && sides[0] != nullptr) {
      // Nothing begins from here on, so that all of it is cancelled.
      running.close();
      loops->on_each([this](Loop&, std::size_t index) {
        sides[index]->desk.runs().runs().cancel_all("the node stops");
      });
      gatherings->stop();
      wait_until_empty(gatherings->gate());
      wait_until_empty(running);
      for (const auto& side : sides) wait_until_empty(side->handler.gate());
      wait_until_unwound();
    }
    // What works on the disk posts to loops.
    if (pool) pool->stop();
    loops->on_each([this](Loop&, std::size_t index) {
      if (index < sides.size()) sides[index].reset();
    });
    loops->stop();
    if (events != nullptr) {
      Deadline end = Deadline::after(kBillMax);
      while (!bill_moved() && events->wait(events->durable() + 1, end)) {
      }
    }
  }
  if (seen != nullptr) {
    if (auto closed = seen->close(); !closed) log::error("node", closed.error().message());
  }
  if (ledger != nullptr) {
    if (auto saved = ledger->save(); !saved) log::error("node", saved.error().message());
  }
}

Node::Change Node::change() {
  return Change(impl_->changing);
}

bool Node::reload(const Change&, Problems& problems) {
  auto next = Policy::read(impl_->options.folder, problems);
  if (next == nullptr) return false;
  if (!impl_->serve(next->settings, problems)) return false;
  warn_of_fixed(impl_->policy.get()->settings, next->settings, problems);
  impl_->ledger->apply(next->settings);
  impl_->policy.set(std::move(next));
  offers_changed();
  return true;
}

Result<std::string> Node::apply(const Change&, const std::string& text) {
  auto now = impl_->policy.get();
  Problems problems;
  auto settings =
      NodeSettings::parse(text, (now->settings.folder / "node.toml").string(), problems);
  if (!settings) return failure(Errc::kInvalid, problems.text());
  // Where paths are not written, they are beside the files that were there.
  settings->folder = now->settings.folder;
  if (!impl_->serve(*settings, problems)) return failure(Errc::kInvalid, problems.text());
  warn_of_fixed(now->settings, *settings, problems);
  auto next = std::make_shared<Policy>(Policy{*std::move(settings), now->groups});
  impl_->ledger->apply(next->settings);
  impl_->policy.set(std::move(next));
  offers_changed();
  return problems.text();
}

Result<std::vector<library::LibraryFunction>> Node::exports_of(const std::string& file) {
  return component_exports(*impl_->runtime, file);
}

void Node::drain() {
  impl_->draining = true;
  impl_->admission->drain();
}

void Node::undrain() {
  impl_->draining = false;
  impl_->admission->resume();
}

void Node::stop(Deadline deadline) {
  drain();
  if (impl_->discovery != nullptr) {
    impl_->on_first([this](Loop&) { impl_->discovery->leave(); });
  }
  if (auto left = impl_->running.close_and_wait(deadline); !left) {
    log::warn("node", "runs are ended by the stop", {{"why", left.error().message()}});
  }
}

NodeStatus Node::status() {
  auto policy = impl_->policy.get();
  NodeStatus status{.name = policy->settings.name,
                    .key = impl_->key.public_key(),
                    .urls = {},
                    .draining = impl_->draining,
                    .runs = impl_->running.inside(),
                    .groups = policy->groups.names().size(),
                    .keys = policy->groups.keys(),
                    .events = impl_->events->durable(),
                    .refused = impl_->admission->refused(),
                    .store = impl_->modules->use_of_room()};
  for (std::size_t i = 0; i < impl_->server->addresses().size(); ++i) {
    status.urls.push_back(impl_->server->url(i));
  }
  status.neighbours = neighbours().size();
  return status;
}

std::vector<RunStatus> Node::running() {
  std::mutex mutex;
  std::vector<RunStatus> all;
  impl_->loops->on_each([&](Loop&, std::size_t index) {
    runs::Runs& mine = impl_->sides[index]->desk.runs().runs();
    std::lock_guard hold(mutex);
    for (const runs::RunOrder* order : mine.running()) {
      all.push_back({order->name, order->module, order->function, order->requester, order->group,
                     mine.usage(order->name)});
    }
  });
  return all;
}

std::vector<discovery::Neighbour> Node::neighbours() {
  std::vector<discovery::Neighbour> all;
  if (impl_->discovery != nullptr) {
    impl_->on_first([&](Loop&) { all = impl_->discovery->all(); });
  }
  return all;
}

Result<void> Node::cancel(const Hash& run) {
  auto place = impl_->places.find(run);
  if (!place) return failure(Errc::kNotFound, fmt::format("no run {}", run.text()));
  Result<void> done;
  impl_->loops->on_each([&](Loop& loop, std::size_t) {
    if (&loop == place->loop)
      done = place->desk->runs().cancel(run, "cancelled by the node's owner");
  });
  return done;
}

void Node::offers_changed() {
  if (impl_->discovery == nullptr) return;
  impl_->on_first([this](Loop&) {
    impl_->discovery->change(impl_->catalogue->digest(), impl_->catalogue->offers());
  });
}

NodeParts& Node::parts() {
  return *impl_->parts;
}

const PublicKey& Node::key() const {
  return impl_->key.public_key();
}

}  // namespace weft::node::daemon
