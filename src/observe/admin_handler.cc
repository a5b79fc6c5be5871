#include "observe/admin_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "observe/api.h"
#include "observe/prometheus.h"

namespace weft {
namespace {

constexpr std::string_view kPlain = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kLines = "application/x-ndjson";
// The page loads what is served here and nothing else, and nobody puts it into a frame.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr std::string_view kCallPath = "/api/call";
constexpr std::chrono::seconds kStep{1};

}  // namespace

struct AdminHandler::Question {
  HttpExchange::Ptr exchange;  // Null once it was answered.
  std::function<void(AdminHandler&, HttpExchange&, const Question&)> then;
  std::vector<std::optional<LiveRequests>> answers;  // One a loop.
  std::size_t missing = 0;
  std::optional<Timer> deadline;  // As long as there is an exchange: on the loop alone.
};

AdminHandler::AdminHandler(Loop& loop, AdminServer::Watched watched, Names names)
    : loop_(loop), watched_(std::move(watched)), names_(names), second_(loop, [this] { look(); }) {
  if (watched_.spy != nullptr) spies_ = std::make_unique<SpyDesk>(loop, *watched_.spy);
  if (watched_.calls != nullptr) {
    calls_ = std::make_unique<CallDesk>(
        loop, *watched_.calls, [this](HttpExchange& exchange, int status, std::string_view json) {
          answer(exchange, status, kJson, json);
        });
  }
  look();
}

AdminHandler::~AdminHandler() {
  // What loops still answer finds nobody.
  for (const auto& question : questions_) {
    question->deadline.reset();
    question->exchange.reset();
  }
}

void AdminHandler::look() {
  history_.add(std::chrono::steady_clock::now(), totals(), ProcessUse::now());
  second_.arm(Deadline::after(kStep));
}

Totals AdminHandler::totals() const {
  Totals totals;
  for (const LoopObserver* each : watched_.observers) each->metrics().add_to(totals);
  return totals;
}

void AdminHandler::handle(HttpExchange::Ptr exchange) {
  const RequestHead& request = exchange->request();
  std::string_view path = request.path.substr(0, request.path.find('?'));
  if (names_ == Names::kLocal && !is_local_name(request.authority)) {
    return answer(*exchange, 403, kPlain,
                  "This address answers to localhost and to addresses alone.\n");
  }
  if (path == kCallPath && request.method == "POST" && calls_ != nullptr) {
    return calls_->take(std::move(exchange));
  }
  bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads || (path == kCallPath && calls_ != nullptr)) {
    return answer(*exchange, 405, kPlain, "Method Not Allowed\n");
  }
  if (path == "/api/requests") {
    return ask(std::move(exchange),
               [](AdminHandler& self, HttpExchange& out, const Question& question) {
                 std::vector<LiveRequests> loops;
                 for (const auto& each : question.answers) {
                   if (each) loops.push_back(*each);
                 }
                 self.answer(out, 200, kJson, requests_json(loops));
               });
  }
  if (path == "/readyz") {
    return ask(std::move(exchange),
               [](AdminHandler& self, HttpExchange& out, const Question& question) {
                 self.tell_ready(out, question);
               });
  }
  if (path == "/api/spy" && spies_ != nullptr) return begin_spying(std::move(exchange));
  if (!answer_at_once(*exchange, path)) answer(*exchange, 404, kPlain, "Not Found\n");
}

// An answer without an end.
void AdminHandler::begin_spying(HttpExchange::Ptr exchange) {
  if (exchange->request().method == "HEAD") return answer(*exchange, 200, kLines, "");
  if (is_of_another_site(exchange->request()) || !is_local_name(exchange->request().authority)) {
    return answer(*exchange, 403, kPlain, "This is not for pages of other sites.\n");
  }
  if (spies_->full()) {
    return answer(*exchange, 503, kPlain,
                  fmt::format("{} watch already, and more may not\n", kSpiesMax));
  }
  const std::array<Header, 4> headers{{{"content-type", kLines},
                                       {"cache-control", "no-store"},
                                       {"x-content-type-options", "nosniff"},
                                       {"cross-origin-resource-policy", "same-origin"}}};
  std::string_view path = exchange->request().path;
  std::size_t query = path.find('?');
  SpyFilter filter =
      SpyFilter::of_query(query == path.npos ? std::string_view() : path.substr(query + 1));
  if (!exchange->begin_response(200, headers, std::nullopt)) return;
  spies_->seat(std::move(exchange), std::move(filter));
}

bool AdminHandler::answer_at_once(HttpExchange& exchange, std::string_view path) {
  if (path == "/healthz") {
    answer(exchange, 200, kPlain, "ok\n");
  } else if (path == "/metrics") {
    answer(exchange, 200, kPrometheusType,
           prometheus_text(totals(), watched_.view.facts(), ProcessUse::now()));
  } else if (path == "/api/overview") {
    answer(exchange, 200, kJson,
           overview_json(totals(), watched_.view.facts(), ProcessUse::now(), history_));
  } else if (path == "/api/history") {
    answer(exchange, 200, kJson, history_json(history_));
  } else if (path == "/api/apps") {
    answer(exchange, 200, kJson, *watched_.view.apps());
  } else if (path == "/api/traps") {
    answer(exchange, 200, kJson, traps_json(watched_.traps.newest()));
  } else {
    PageFile file = page_file(path);
    if (file.body.empty()) return false;
    answer(exchange, 200, file.type, file.body);
  }
  return true;
}

void AdminHandler::answer(HttpExchange& exchange, int status, std::string_view type,
                          std::string_view body) {
  std::string_view allowed = exchange.request().path == kCallPath ? "POST" : "GET, HEAD";
  const std::array<Header, 7> headers{{{"content-type", type},
                                       {"cache-control", "no-store"},
                                       {"x-content-type-options", "nosniff"},
                                       {"content-security-policy", kPolicy},
                                       {"referrer-policy", "no-referrer"},
                                       {"cross-origin-resource-policy", "same-origin"},
                                       {"allow", allowed}}};
  std::size_t count = status == 405 ? headers.size() : headers.size() - 1;
  if (!exchange.begin_response(status, std::span(headers).first(count), body.size())) return;
  if (exchange.request().method != "HEAD") exchange.write(as_bytes(body));
  exchange.finish();
}

// Asks every loop what is under way there; a loop that is stuck does not answer in time.
void AdminHandler::ask(HttpExchange::Ptr exchange,
                       std::function<void(AdminHandler&, HttpExchange&, const Question&)> then) {
  if (questions_.size() >= kQuestionsMax) {
    return answer(*exchange, 503, kPlain, "Too many questions at once\n");
  }
  auto question = std::make_shared<Question>();
  questions_.push_back(question);
  question->exchange = std::move(exchange);
  question->then = std::move(then);
  question->missing = watched_.loops.size();
  question->answers.resize(question->missing);
  question->deadline.emplace(loop_, [this, asked = std::weak_ptr(question)] {
    if (std::shared_ptr<Question> late = asked.lock()) answered(late);
  });
  question->deadline->arm(Deadline::after(kLoopAnswerMax));
  for (std::size_t i = 0; i < watched_.loops.size(); ++i) {
    Loop& home = loop_;
    const LoopObserver& observer = *watched_.observers[i];
    watched_.loops[i].post([this, &home, &observer, i, question]() mutable {
      home.post([this, i, live = observer.live(), question = std::move(question)]() mutable {
        question->answers[i] = std::move(live);
        // One without an exchange was answered, or the handler is gone.
        if (--question->missing == 0 && question->exchange != nullptr) answered(question);
      });
    });
  }
}

void AdminHandler::answered(const std::shared_ptr<Question>& question) {
  question->deadline.reset();
  HttpExchange::Ptr exchange = std::move(question->exchange);
  questions_.remove(question);
  question->then(*this, *exchange, *question);
}

void AdminHandler::tell_ready(HttpExchange& exchange, const Question& question) {
  HostFacts::State state = watched_.view.facts().state;
  if (state != HostFacts::State::kServing) {
    return answer(exchange, 503, kPlain, fmt::format("{}\n", to_string(state)));
  }
  auto stuck =
      std::ranges::count_if(question.answers, [](const auto& each) { return !each.has_value(); });
  if (stuck == 0) return answer(exchange, 200, kPlain, "ready\n");
  answer(exchange, 503, kPlain,
         fmt::format("{} of {} loops did not answer\n", stuck, question.answers.size()));
}

PageFile page_file(std::string_view path) {
  std::string file = fmt::format("src/observe/page{}", path == "/" ? "/index.html" : path);
  auto found = std::ranges::find(page_files(), file, &EmbeddedFile::path);
  if (found == page_files().end()) return {};
  std::string_view kind = file.ends_with(".html")  ? "html"
                          : file.ends_with(".css") ? "css"
                                                   : "javascript";
  return {fmt::format("text/{}; charset=utf-8", kind), found->text};
}

}  // namespace weft
