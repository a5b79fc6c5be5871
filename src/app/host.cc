#include "app/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/apps_json.h"
#include "app/deck.h"
#include "base/log.h"
#include "base/net_address.h"
#include "io/timer.h"
#include "remote/health.h"

namespace weft {

namespace {

ServerFacts facts_of(const Capability& capability, const ChosenServer& server) {
  remote::Health::Reading seen = server.health->read();
  return {.capability = std::string(capability.name()),
          .name = server.name,
          .driver = server.driver,
          .server = server.health->server(),
          .asked = seen.asked,
          .up = seen.up,
          .losses = seen.losses,
          .answered = seen.requests,
          .unanswered = seen.failures,
          .time = seen.time};
}

void add_backlogs(const Capability& capability, std::vector<BacklogFacts>& all) {
  for (Backlog& each : capability.backlogs()) {
    if (all.size() + 1 < kBacklogsMax) {
      all.push_back(
          {std::move(each.app), std::move(each.name), std::move(each.group), each.waiting});
      continue;
    }
    std::string other(kOtherLabel);
    if (all.size() < kBacklogsMax) all.push_back({other, other, other});
    all.back().messages += each.waiting;
  }
}

}  // namespace

// What one loop of a host has, made, used and destroyed on its thread: the deck that takes requests
// now, and earlier ones until their last request has ended.
class LoopSide final : public HttpHandler {
 public:
  LoopSide(Runtime& runtime, Loop& loop, const HttpClientOptions& http_client, Pool& pool,
           AccessLogFile* file, RetiringDecks& retiring, LoopObserver* observer,
           Deployments::Shared shared, Deck::Seat seat)
      : engine_(runtime, loop, http_client),
        pool_(pool),
        retiring_(retiring),
        observer_(observer),
        shared_(shared),
        seat_(seat),
        tracer_(observer != nullptr && observer->spans() != nullptr ? Tracer::Sampling::kOn
                                                                    : Tracer::Sampling::kOff),
        look_(loop, [this] { look(); }) {
    if (file != nullptr) log_ = std::make_unique<AccessLog>(loop, *file);
  }

  std::unique_ptr<Deck> deploy(const std::shared_ptr<const Edition>& edition) {
    return std::make_unique<Deck>(edition, engine_, pool_, log_.get(), observer_, shared_, seat_);
  }

  // Requests from the next one on go to `next`.
  void switch_to(std::unique_ptr<Deck> next) {
    std::swap(deck_, next);
    if (next != nullptr) next->stop_events();
    if (deck_ != nullptr) deck_->begin_events();
    if (next == nullptr) return;
    old_.push_back(std::move(next));
    std::lock_guard hold(retiring_.mutex);
    ++retiring_.count;
    if (!look_.armed()) look_.arm(Deadline::after(kRetiringLook));
  }

  // A call that is asked for at the admin address.
  void begin(std::uint64_t number, AdminCall call, AdminCallEvents events, Capability* asked) {
    if (deck_ != nullptr) {
      return deck_->calls().begin(number, std::move(call), std::move(events), asked);
    }
    events.ended(failure(Errc::kUnavailable, "the host is stopping"));
  }
  void cancel(std::uint64_t number) {
    if (deck_ != nullptr) deck_->calls().cancel(number);
    for (const auto& deck : old_) deck->calls().cancel(number);
  }

  void show_instead(std::string page) { page_ = std::move(page); }

  void handle(HttpExchange::Ptr exchange) override {
    exchange->watch.trace = tracer_.begin(exchange->request());
    if (!page_.empty() && wants_html(exchange->request())) return show_page(*exchange);
    deck_->handle(std::move(exchange));
  }
  void on_complete(const ExchangeSummary& summary) override {
    if (log_ != nullptr) log_->add(summary);
    if (observer_ != nullptr) observer_->end(summary);
  }
  void on_refused(const ExchangeSummary& summary) override {
    if (log_ != nullptr) log_->add(summary);
  }

 private:
  static bool wants_html(const RequestHead& request) {
    return std::ranges::any_of(request.headers, [](const Header& each) {
      return each.name == "accept" && each.value.find("text/html") != each.value.npos;
    });
  }
  void show_page(HttpExchange& exchange) const {
    constexpr std::array<Header, 2> kHeaders{
        {{"content-type", "text/html; charset=utf-8"}, {"cache-control", "no-store"}}};
    if (!exchange.begin_response(500, kHeaders, page_.size())) return;
    exchange.write(as_bytes(page_));
    exchange.finish();
  }

  void look() {
    std::size_t ended = std::erase_if(old_, [this](auto& deck) {
      if (!deck->wind_down()) return false;
      std::shared_ptr<const Edition> edition = deck->edition();
      deck.reset();
      // Refused, which a thousand reloads at once would be, it ends here.
      static_cast<void>(retiring_.endings.submit([edition = std::move(edition)] {}));
      return true;
    });
    if (!old_.empty()) look_.arm(Deadline::after(kRetiringLook));
    if (ended == 0) return;
    std::lock_guard hold(retiring_.mutex);
    retiring_.count -= ended;
    retiring_.fewer.notify_all();
  }

  EngineLoop engine_;
  Pool& pool_;
  RetiringDecks& retiring_;
  LoopObserver* observer_;
  const Deployments::Shared shared_;
  const Deck::Seat seat_;
  Tracer tracer_;
  std::unique_ptr<AccessLog> log_;
  std::vector<std::unique_ptr<Deck>> old_;
  std::unique_ptr<Deck> deck_;
  std::string page_;  // Shown in the place of what the deck would answer.
  Timer look_;
};

Host::Host(Runtime& runtime, const CapabilityTable& capabilities, Loops& loops)
    : runtime_(runtime), capabilities_(capabilities), loops_(loops), sides_(loops.size()) {}

Result<std::unique_ptr<Host>> Host::start(Runtime& runtime, const CapabilityTable& capabilities,
                                          Loops& loops, EditionSources sources,
                                          std::shared_ptr<const Edition> edition,
                                          const Options& options) {
  std::unique_ptr<Host> host(new Host(runtime, capabilities, loops));
  host->sources_ = std::move(sources);
  host->edition_ = std::move(edition);
  const Environment& environment = host->edition_->environment();
  if (environment.log_level) log::set_level(*environment.log_level);
  const std::string& log_path =
      options.access_log.empty() ? environment.access_log : options.access_log;
  if (!log_path.empty()) {
    TRY(host->log_file_, AccessLogFile::open(log_path));
  }
  TRY_VOID(host->watch(options));
  loops.on_each([&](Loop& loop, std::size_t index) {
    auto side = std::make_unique<LoopSide>(
        runtime, loop, options.http_client, host->pool_, host->log_file_.get(), host->retiring_,
        host->observatory_ == nullptr ? nullptr : &host->observatory_->of(index),
        index == 0 ? Deployments::Shared::kHere : Deployments::Shared::kElsewhere,
        Deck::Seat{index, host->loops_.size()});
    side->switch_to(side->deploy(host->edition_));
    host->sides_[index] = std::move(side);
  });
  host->tls_ = host->edition_->tls();
  TRY_VOID(host->listen(options));
  return host;
}

// The admin address is opened first: what it shows while nothing listens yet is that.
Result<void> Host::watch(const Options& options) {
  count_programs(*edition_);
  facts_.started = std::chrono::system_clock::now();
  facts_.state = HostFacts::State::kStarting;
  std::optional<ListenAddress> admin = options.admin;
  if (!admin) admin = edition_->environment().admin;
  std::optional<Observatory::Export> exporting;
  if (!options.otlp_endpoint.empty()) exporting = {options.otlp_endpoint, options.http_client};
  if (!admin && !exporting) return {};
  HostView& view = *this;
  observatory_ = std::make_unique<Observatory>(loops_, view, std::move(exporting));
  if (!admin) return {};
  spy_ = options.spy;
  auto at = IpAddress::parse(admin->address);
  bool loopback = at && kind_of(*at) == AddressKind::kLoopback;
  spy_values_ = options.spy_values && loopback;
  calls_ = options.calls && loopback;
  let_admin(edition_->environment());
  AdminCalls* calls = this;
  TRY(admin_url_, observatory_->serve({admin->address, admin->port}, spy_, calls));
  return {};
}

// What is let to those who reach the admin address.
void Host::let_admin(const Environment& environment) {
  may_call_ = environment.admin_calls.value_or(calls_);
  if (spy_ != nullptr) spy_->show_values(environment.admin_values.value_or(spy_values_));
}

void Host::count_programs(const Edition& edition) {
  std::lock_guard hold(facts_mutex_);
  apps_ = std::make_shared<const std::string>(apps_json(edition));
  for (const auto& plan : edition.plans()) {
    ++(plan->info().cached ? facts_.programs_cached : facts_.programs_compiled);
  }
}

HostFacts Host::facts() {
  HostFacts facts;
  {
    std::lock_guard hold(facts_mutex_);
    facts = facts_;
    if (counted_ != nullptr) facts.connections = counted_->connections();
  }
  for (const auto& capability : capabilities_.all()) {
    for (const ChosenServer& each : capability->servers()) {
      facts.servers.push_back(facts_of(*capability, each));
    }
    add_backlogs(*capability, facts.backlogs);
  }
  return facts;
}

std::shared_ptr<const std::string> Host::apps() {
  std::lock_guard hold(facts_mutex_);
  return apps_;
}

Result<void> Host::listen(const Options& options) {
  std::vector<HttpHandler*> handlers;
  for (const auto& side : sides_) handlers.push_back(side.get());
  const HttpSettings& http = edition_->environment().http;
  std::vector<ListenAddress> addresses;
  for (const auto& [address, place] : http.listen) addresses.push_back(address);
  if (options.listen) addresses = {*options.listen};
  if (addresses.empty()) addresses.emplace_back();
  HttpServer::Options server{.addresses = {}, .limits = http.limits};
  for (const ListenAddress& each : addresses) {
    server.addresses.push_back({each.address, each.port, edition_->tls()});
  }
  auto listening = HttpServer::listen(loops_, handlers, std::move(server));
  if (!listening && listening.error().code() == Errc::kConflict) {
    return failure(Errc::kConflict,
                   fmt::format("{}: --http 127.0.0.1:0", listening.error().message()));
  }
  TRY(server_, std::move(listening));
  std::lock_guard hold(facts_mutex_);
  counted_ = server_.get();
  facts_.urls = urls();
  facts_.state = HostFacts::State::kServing;
  return {};
}

std::uint64_t Host::begin(AdminCall call, AdminCallEvents events) {
  std::lock_guard hold(calls_mutex_);
  std::uint64_t number = ++calls_begun_;
  std::size_t index = number % loops_.size();
  if (calls_over_) {
    events.ended(failure(Errc::kUnavailable, "the host is stopping"));
    return number;
  }
  Capability* asked = nullptr;
  for (const auto& each : capabilities_.all()) {
    if (!call.capability.empty() && each->name() == call.capability) asked = each.get();
  }
  if (asked == nullptr && !call.capability.empty()) {
    events.ended(
        failure(Errc::kNotFound, fmt::format("there is no capability {}", call.capability)));
    return number;
  }
  loops_[index].post(
      [this, index, number, asked, call = std::move(call), events = std::move(events)]() mutable {
        if (sides_[index] != nullptr) {
          return sides_[index]->begin(number, std::move(call), std::move(events), asked);
        }
        events.ended(failure(Errc::kUnavailable, "the host is starting"));
      });
  return number;
}

void Host::cancel(std::uint64_t number) {
  std::lock_guard hold(calls_mutex_);
  if (calls_over_) return;
  std::size_t index = number % loops_.size();
  loops_[index].post([this, index, number] {
    if (sides_[index] != nullptr) sides_[index]->cancel(number);
  });
}

Host::~Host() {
  {
    std::lock_guard hold(calls_mutex_);
    calls_over_ = true;
  }
  {
    std::lock_guard hold(facts_mutex_);
    counted_ = nullptr;
  }
  server_.reset();
  loops_.on_each([&](Loop&, std::size_t index) { sides_[index].reset(); });
  observatory_.reset();
}

std::vector<std::string> Host::urls() const {
  std::vector<std::string> urls;
  for (std::size_t i = 0; i < server_->addresses().size(); ++i) urls.push_back(server_->url(i));
  return urls;
}

bool Host::wait_for_room() {
  std::unique_lock hold(retiring_.mutex);
  return retiring_.fewer.wait_for(hold, kRetiringWait, [&] {
    return retiring_.count + loops_.size() <= std::max(kRetiringMax, loops_.size());
  });
}

bool Host::reload(Problems& problems) {
  bool done = reload_now(problems);
  std::lock_guard hold(facts_mutex_);
  ++(done ? facts_.reloads : facts_.reload_failures);
  return done;
}

bool Host::reload_now(Problems& problems) {
  EditionSettings settings = EditionSettings::read(sources_, capabilities_, problems);
  auto next = Edition::make(runtime_, capabilities_, sources_, std::move(settings),
                            Plan::Opening::kOpen, problems, edition_.get());
  if (next == nullptr) return false;
  Place place{sources_.alone ? sources_.alone->file : sources_.apps.front()};
  if (!next->serves()) {
    problems.error(place, "it serves nothing any more", "start weft again to run a command");
    return false;
  }
  if (!wait_for_room()) {
    problems.error(place, "too many earlier versions still finish their requests",
                   "try again when some of those have ended");
    return false;
  }
  // The listeners keep their context: what was read for the next edition goes into it.
  if (tls_ != nullptr && next->tls() != nullptr) tls_->take_over(*next->tls());
  tell_what_stays(*next, problems);
  std::vector<std::unique_ptr<Deck>> decks(loops_.size());
  loops_.on_each([&](Loop&, std::size_t index) { decks[index] = sides_[index]->deploy(next); });
  loops_.on_each(
      [&](Loop&, std::size_t index) { sides_[index]->switch_to(std::move(decks[index])); });
  edition_ = std::move(next);
  count_programs(*edition_);
  let_admin(edition_->environment());
  if (edition_->environment().log_level) log::set_level(*edition_->environment().log_level);
  return true;
}

// What was opened when the host started is not opened again.
void Host::tell_what_stays(const Edition& next, Problems& problems) const {
  const Environment& before = edition_->environment();
  const Environment& after = next.environment();
  auto addresses = [](const Environment& environment) {
    std::vector<ListenAddress> all;
    for (const auto& [address, place] : environment.http.listen) all.push_back(address);
    return all;
  };
  bool apps_only = after.file.empty() && !next.apps().empty();
  const std::string& file = apps_only ? next.apps().front().file : after.file;
  auto stays = [&](std::string_view what) {
    problems.warn({file}, fmt::format("{} changed", what),
                  "it holds from the next start of weft on");
  };
  if (addresses(before) != addresses(after)) stays("http.listen");
  if (before.http.tls.has_value() != after.http.tls.has_value()) stays("http.tls");
  if (before.http.limits != after.http.limits) stays("http.limits");
  if (before.admin != after.admin) stays("admin.listen");
  if (before.state_folder != after.state_folder) stays("state.folder");
  // The pool of instances does not grow.
  if (next.settings().instances(sources_) > edition_->settings().instances(sources_)) {
    stays("limits.instances of all components together");
  }
  if (before.access_log != after.access_log) stays("log.access");
}

void Host::show_instead(const std::string& page) {
  loops_.on_each([&](Loop&, std::size_t index) { sides_[index]->show_instead(page); });
}

Result<void> Host::drain(Deadline deadline) {
  {
    std::lock_guard hold(facts_mutex_);
    facts_.state = HostFacts::State::kStopping;
  }
  TRY_VOID(server_->drain(deadline));
  // Guests that go on after their response have a little longer. Nobody asks the decks any more.
  if (!afterwards_) {
    afterwards_ = Deadline::after(kAfterwards);
    loops_.on_each([&](Loop&, std::size_t index) { sides_[index]->switch_to(nullptr); });
  }
  std::unique_lock hold(retiring_.mutex);
  bool ended = retiring_.fewer.wait_until(hold, earlier(deadline, *afterwards_).when(),
                                          [&] { return retiring_.count == 0; });
  if (ended || afterwards_->passed()) return {};
  return failure(Errc::kTimeout, "guests go on after their responses");
}

}  // namespace weft
