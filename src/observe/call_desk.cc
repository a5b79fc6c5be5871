#include "observe/call_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "base/json_string.h"
#include "base/log.h"
#include "base/net_address.h"

namespace weft {
namespace {

// Of a name that a log line shows.
constexpr std::size_t kLoggedNameMax = 200;

int status_of(Errc code) {
  switch (code) {
    case Errc::kInvalid:
    case Errc::kUnsupported: return 400;
    case Errc::kDenied: return 403;
    case Errc::kNotFound: return 404;
    case Errc::kLimit:
    case Errc::kUnavailable: return 503;
    case Errc::kTimeout: return 504;
    default: return 500;
  }
}

std::string error_json(const Error& error) {
  boost::json::object out;
  out["error"] = json_string(error.message());
  out["kind"] = json_string(to_string(error.code()));
  return boost::json::serialize(out);
}

std::string result_json(std::string_view result) {
  boost::json::object out;
  out["result"] = json_string(result);
  return boost::json::serialize(out);
}

bool has_json(const RequestHead& request) {
  std::string_view type = request.header("content-type").value_or("");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type == "application/json";
}

std::string_view logged(std::string_view name) {
  return name.substr(0, kLoggedNameMax);
}

}  // namespace

// Who asked for one call.
struct CallDesk::Visit final : ExchangeEvents {
  Visit(CallDesk& its_desk, HttpExchange::Ptr taken)
      : desk(its_desk),
        exchange(std::move(taken)),
        timer(its_desk.loop_, [this] { desk.late(*this); }) {
    exchange->listen(this);
  }

  void on_body_ready() override {
    if (whole) return;
    for (BytesView more = exchange->body(); !more.empty(); more = exchange->body()) {
      // The wire lets no more through than kAdminCallBytesMax.
      body += as_text(more);
      exchange->consume_body(more.size());
    }
    whole = exchange->body_state() == BodyState::kEnd;
    if (whole) desk.begin(*this);
  }
  void on_writable() override { pump(); }
  void on_gone() override { desk.gone(*this); }

  // Writes what the wire takes of the lines.
  void pump() {
    std::string_view left = lines;
    while (!left.empty() && exchange != nullptr) {
      std::string_view part = left.substr(0, exchange->writable());
      if (part.empty()) break;
      exchange->write(as_bytes(part));
      left.remove_prefix(part.size());
    }
    *waiting -= lines.size() - left.size();
    lines.erase(0, lines.size() - left.size());
    if (lines.empty() && over && exchange != nullptr) {
      exchange->finish();
      desk.leave(*this);
    }
  }

  CallDesk& desk;
  HttpExchange::Ptr exchange;  // Null once it was answered, or is gone.
  std::string body;
  bool whole = false;
  Timer timer;
  AdminCall call = {};
  std::optional<std::uint64_t> number = {};  // Once it has begun.
  Deadline::Clock::time_point since = Deadline::Clock::now();
  // Of an answer that is lines, the last of which is the result.
  bool in_lines = false;
  bool over = false;       // The last line is there.
  std::string lines = {};  // Not taken by the wire yet.
  // Bytes of lines on their way and in `lines`; shared with whoever tells them.
  std::shared_ptr<std::atomic<std::size_t>> waiting = std::make_shared<std::atomic<std::size_t>>(0);
};

CallDesk::CallDesk(Loop& loop, AdminCalls& calls, Answer answer)
    : loop_(loop), calls_(calls), answer_(std::move(answer)) {}

CallDesk::~CallDesk() {
  for (const auto& visit : visits_) {
    if (visit->number) calls_.cancel(*visit->number);
  }
}

Result<void> CallDesk::check(const RequestHead& request) const {
  if (!is_local_name(request.authority)) {
    return failure(Errc::kDenied, "calls are for who names localhost or an address");
  }
  if (is_of_another_site(request)) {
    return failure(Errc::kDenied, "this is not for pages of other sites");
  }
  if (!has_json(request) || !request.header("x-weft-call")) {
    return failure(Errc::kDenied,
                   "a call comes with the headers content-type: application/json and "
                   "x-weft-call: 1");
  }
  if (!calls_.may_call()) {
    return failure(Errc::kDenied,
                   "calls are not allowed here: the operator's file may say [admin] calls = true");
  }
  if (visits_.size() >= kAdminCallsMax) {
    return failure(Errc::kLimit,
                   fmt::format("{} calls are under way already: try again when one has ended",
                               kAdminCallsMax));
  }
  return {};
}

void CallDesk::take(HttpExchange::Ptr exchange) {
  if (auto may = check(exchange->request()); !may) return refuse(*exchange, may.error());
  auto& visit = visits_.emplace_back(std::make_shared<Visit>(*this, std::move(exchange)));
  visit->on_body_ready();
}

void CallDesk::refuse(HttpExchange& exchange, const Error& error) {
  answer_(exchange, status_of(error.code()), error_json(error));
}

// The body is whole.
void CallDesk::begin(Visit& visit) {
  auto call = AdminCall::read(std::exchange(visit.body, {}));
  if (!call) return ended(visit, std::unexpected(std::move(call).error()));
  visit.call.target = call->target;
  visit.call.function = call->function.substr(0, call->function.find('('));
  if (!call->capability.empty()) {
    visit.call.function = fmt::format("{} {}", call->capability, call->function);
  }
  visit.timer.arm(Deadline::after(kAdminCallLate));
  // What is told comes back to this loop, where the visit may be over by then.
  auto at = std::ranges::find(visits_, &visit, &std::shared_ptr<Visit>::get);
  std::weak_ptr<Visit> there = *at;
  Loop& home = loop_;
  AdminCallEvents events;
  events.begun = [&home, there](std::chrono::milliseconds most) {
    home.post([there, most] {
      if (auto self = there.lock()) self->desk.begun(*self, most);
    });
  };
  events.told = [&home, there, waiting = visit.waiting](std::string line) {
    line += '\n';
    if (*waiting + line.size() > kAdminCallLinesMax) return false;
    *waiting += line.size();
    home.post([there, line = std::move(line)] {
      if (auto self = there.lock()) self->desk.told(*self, line);
    });
    return true;
  };
  events.ended = [&home, there](Result<std::string> outcome) {
    home.post([there, outcome = std::move(outcome)] {
      if (auto self = there.lock()) self->desk.ended(*self, outcome);
    });
  };
  visit.number = calls_.begin(*std::move(call), std::move(events));
}

void CallDesk::begun(Visit& visit, std::chrono::milliseconds most) {
  if (visit.exchange != nullptr) visit.timer.arm(Deadline::after(most + kAdminCallLate));
}

// The answer is lines then, whatever comes.
void CallDesk::told(Visit& visit, std::string_view line) {
  if (visit.exchange == nullptr || visit.over) return;
  if (!std::exchange(visit.in_lines, true)) {
    constexpr std::array<Header, 3> kHeaders{{{"content-type", "application/x-ndjson"},
                                              {"cache-control", "no-store"},
                                              {"x-content-type-options", "nosniff"}}};
    if (!visit.exchange->begin_response(200, kHeaders, std::nullopt)) return;
  }
  visit.lines += line;
  visit.pump();
}

void CallDesk::late(Visit& visit) {
  refuse(*visit.exchange, Error(Errc::kTimeout, "the loop that has the call does not answer"));
  gone(visit);
}

// Nobody waits for it any more.
void CallDesk::gone(Visit& visit) {
  visit.timer.disarm();
  visit.exchange.reset();
  if (visit.number) return calls_.cancel(*visit.number);
  leave(visit);
}

void CallDesk::ended(Visit& visit, const Result<std::string>& outcome) {
  visit.timer.disarm();
  auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - visit.since);
  log::info("admin", "call",
            {{"target", logged(visit.call.target)},
             {"function", logged(visit.call.function)},
             {"by", visit.exchange == nullptr ? "gone" : visit.exchange->peer()},
             {"outcome", outcome ? "returned" : to_string(outcome.error().code())},
             {"ms", took.count()}});
  if (visit.exchange != nullptr && visit.in_lines) {
    // It goes when the wire has taken it, or the client is gone.
    std::string last = (outcome ? result_json(*outcome) : error_json(outcome.error())) + "\n";
    *visit.waiting += last.size();
    visit.lines += last;
    visit.over = true;
    visit.number.reset();
    return visit.pump();
  }
  if (visit.exchange != nullptr) {
    if (outcome) {
      answer_(*visit.exchange, 200, result_json(*outcome));
    } else {
      refuse(*visit.exchange, outcome.error());
    }
  }
  leave(visit);
}

void CallDesk::leave(Visit& visit) {
  std::erase_if(visits_, [&](const auto& each) { return each.get() == &visit; });
}

bool is_of_another_site(const RequestHead& request) {
  return std::ranges::any_of(request.headers, [](const Header& each) {
    return each.name == "sec-fetch-site" && each.value != "same-origin" && each.value != "none";
  });
}

bool is_local_name(std::string_view authority) {
  if (authority.starts_with('[')) {
    std::size_t end = authority.find(']');
    return end != std::string_view::npos && IpAddress::parse(authority.substr(1, end - 1));
  }
  std::string_view name = authority.substr(0, authority.find(':'));
  return name.empty() || name == "localhost" || IpAddress::parse(name).has_value();
}

}  // namespace weft
