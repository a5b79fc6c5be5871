#include "observe/loop_observer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/id.h"
#include "io/loop.h"

namespace weft {

LoopObserver::LoopObserver(Loop& loop, TrapLog& traps, SpanQueue::Ship ship)
    : loop_(loop), traps_(traps) {
  if (ship) spans_ = std::make_unique<SpanQueue>(loop, std::move(ship));
  live_.next = live_.previous = &live_;
}

// Exchanges that are still under way no longer point here.
LoopObserver::~LoopObserver() {
  while (live_.next != &live_) live_.next->unlink();
}

void LoopObserver::begin(HttpExchange& exchange, RouteMeter& meter) {
  meter.begun.add();
  ExchangeWatch& watch = exchange.watch;
  watch.exchange = &exchange;
  watch.meter = &meter;
  watch.began = loop_.now();
  watch.link_before(live_);
}

void LoopObserver::end(const ExchangeSummary& summary) {
  if (summary.watch == nullptr || summary.watch->meter == nullptr) return;
  ExchangeWatch& watch = *summary.watch;
  RouteMeter& meter = *watch.meter;
  watch.unlink();
  watch.meter = nullptr;
  meter.answered[static_cast<std::size_t>(std::clamp(summary.status / 100, 0, 5))].add();
  if (summary.end == ExchangeSummary::End::kBroken) meter.broken.add();
  if (summary.end == ExchangeSummary::End::kGone) meter.gone.add();
  meter.bytes_in.add(summary.bytes_in);
  meter.bytes_out.add(summary.bytes_out);
  meter.time.observe(summary.time);
  if (spans_ != nullptr && watch.trace.sampled()) add_span(summary, meter);
}

void LoopObserver::add_span(const ExchangeSummary& summary, const RouteMeter& meter) {
  const RequestHead& request = summary.request;
  Deadline::Clock::time_point now = Deadline::Clock::now();
  Span span{.context = summary.watch->trace,
            .kind = Span::Kind::kServer,
            .name = fmt::format("{} {}", request.method, meter.route),
            .began = now - summary.time,
            .ended = now};
  if (summary.status >= 500) span.error = fmt::format("status {}", summary.status);
  if (summary.end == ExchangeSummary::End::kBroken) span.error = "broken off";
  span.attributes = {{"http.request.method", std::string(request.method)},
                     {"url.path", std::string(request.path.substr(0, request.path.find('?')))},
                     {"http.route", meter.route},
                     {"http.response.status_code", fmt::format("{}", summary.status)},
                     {"client.address", std::string(summary.peer)},
                     {"weft.app", meter.app},
                     {"weft.component", meter.component},
                     {"weft.request", id_text(summary.id)}};
  spans_->add(std::move(span));
}

LiveRequests LoopObserver::live() const {
  LiveRequests live;
  Deadline::Clock::time_point now = Deadline::Clock::now();
  for (const ExchangeWatch* each = live_.next; each != &live_; each = each->next) {
    ++live.count;
    if (live.shown.size() >= kLiveShown) continue;
    const RequestHead& request = each->exchange->request();
    constexpr std::size_t kPathShown = 200;
    std::string_view path = request.path.substr(0, request.path.find('?'));
    live.shown.push_back(
        {.request = id_text(each->exchange->id),
         .app = each->meter->app,
         .component = each->meter->component,
         .route = each->meter->route,
         .method = std::string(request.method),
         .path = std::string(path.substr(0, kPathShown)),
         .peer = std::string(each->exchange->peer()),
         .age = std::chrono::duration_cast<std::chrono::milliseconds>(now - each->began)});
  }
  return live;
}

}  // namespace weft
