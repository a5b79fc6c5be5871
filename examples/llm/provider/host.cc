#include "host.h"

#include <algorithm>
#include <utility>

#include "io/loop.h"

using weft::Errc;
using weft::Task;

namespace {

constexpr std::size_t kBodyMax = 4 * 1024 * 1024;  // Of an answer that is read as a whole.
constexpr std::size_t kLineMax = 1024 * 1024;      // Of one line of a chat.
constexpr std::size_t kRestMax = 64 * 1024;        // Of what follows the last line of a chat.

using End = Or<llm::Summary>;

// Whether a part of the name means another folder to those who resolve paths.
bool leads_elsewhere(std::string_view name) {
  for (std::size_t begin = 0; begin <= name.size();) {
    std::size_t end = std::min(name.find('/', begin), name.size());
    std::string_view part = name.substr(begin, end - begin);
    if (part == "." || part == "..") return true;
    begin = end + 1;
  }
  return false;
}

llm::Error failure_of(const weft::Error& error) {
  switch (error.code()) {
    case Errc::kTimeout: return llm::Error::timed_out(error.message());
    case Errc::kUnavailable: return llm::Error::unreachable(error.message());
    case Errc::kLimit: return llm::Error::overloaded(std::nullopt);
    default: return llm::Error::failed(error.message());
  }
}

// Breaks a request off when nobody reads what comes of it, also while it waits for the endpoint.
// Lives shorter than both.
class StopWhenAbandoned {
 public:
  StopWhenAbandoned(weft::PipeWriter& watched, Exchange& exchange)
      : watched_(watched), exchange_(exchange) {
    look();
  }
  StopWhenAbandoned(const StopWhenAbandoned&) = delete;
  ~StopWhenAbandoned() { watched_.wait(nullptr); }

 private:
  // Again at each piece that is read: a pipe tells its writer of either in the same way.
  void look() {
    if (watched_.abandoned()) return exchange_.stop();
    watched_.wait([this] { look(); });
  }

  weft::PipeWriter& watched_;
  Exchange& exchange_;
};

// The lines of an answer, one after the other.
class Lines {
 public:
  explicit Lines(Exchange& exchange) : exchange_(exchange) {}

  // The next line; nothing at the end.
  Task<std::optional<std::string>> next(weft::PipeWriter& wanted) {
    for (;;) {
      if (std::size_t end = buffer_.find('\n', at_); end != buffer_.npos) {
        std::string line = buffer_.substr(at_, end - at_);
        at_ = end + 1;
        if (line.ends_with('\r')) line.pop_back();
        co_return line;
      }
      buffer_.erase(0, std::exchange(at_, 0));
      if (buffer_.size() > kLineMax) {
        co_return weft::failure(Errc::kIo, "the endpoint: a line of its answer is too long");
      }
      StopWhenAbandoned stop(wanted, exchange_);
      CO_TRY(std::string piece, co_await exchange_.read());
      if (piece.empty()) co_return std::nullopt;
      buffer_ += piece;
    }
  }

 private:
  Exchange& exchange_;
  std::string buffer_;
  std::size_t at_ = 0;
};

// Reads to the end of the answer, and passes its text on. A reader that is slow makes the endpoint
// wait: there is room for some pieces in between, and no more.
Task<End> relay(const Dialect& dialect, Exchange& exchange, std::string model,
                weft::StreamWriter<std::string>& text) {
  Progress progress{.summary = {.model = std::move(model)}};
  Lines lines(exchange);
  while (!progress.over) {
    CO_TRY(auto line, co_await lines.next(text.end()));
    if (!line) break;
    if (auto read = dialect.read_line(*line, progress); !read) {
      co_return End(std::unexpect, read.error());
    }
    if (progress.text.empty()) continue;
    CO_TRY_VOID(co_await text.write(std::exchange(progress.text, {}), weft::Deadline::never()));
  }
  if (!progress.finished) {
    co_return End(std::unexpect, llm::Error::failed("the endpoint: its answer broke off"));
  }
  co_return std::move(progress.summary);
}

Task<void> answer(std::shared_ptr<const Dialect> dialect, std::unique_ptr<Exchange> exchange,
                  std::string model, weft::StreamWriter<std::string> text,
                  weft::FutureWriter<End> end) {
  weft::Result<End> relayed = co_await relay(*dialect, *exchange, std::move(model), text);
  bool whole = relayed && relayed->has_value();
  if (!whole) exchange.reset();
  text.finish();
  CO_TRY_VOID(
      end.set(relayed ? *std::move(relayed) : std::unexpected(failure_of(relayed.error()))));
  // To the end of the HTTP message, which makes the connection free for the next.
  if (whole) static_cast<void>(co_await exchange->read_all(kRestMax));
  co_return weft::Result<void>();
}

}  // namespace

Host::Host(weft::Loop& loop, std::unique_ptr<Dialect> dialect, EndpointSettings settings)
    : loop_(loop), dialect_(std::move(dialect)), endpoint_(loop, std::move(settings)) {}

weft::Answer<Or<llm::Reply>> Host::chat(weft::Call&, llm::Request request) {
  return start_chat(std::move(request));
}

weft::Answer<Or<std::vector<llm::Model>>> Host::list(weft::Call&) {
  return fetch_list();
}

weft::Answer<Or<llm::Details>> Host::show(weft::Call&, std::string_view name) {
  return fetch_details(std::string(name));
}

Task<Or<llm::Reply>> Host::start_chat(llm::Request request) {
  using Answered = Or<llm::Reply>;
  auto exchange = co_await endpoint_.ask(dialect_->chat(request));
  if (!exchange) co_return Answered(std::unexpect, failure_of(exchange.error()));
  Exchange& begun = **exchange;
  if (begun.status() != 200) {
    auto body = co_await begun.read_all(kBodyMax);
    co_return Answered(std::unexpect, error_of(begun.status(), begun.retry_after(), request.model,
                                               body.value_or("")));
  }
  auto [text, text_writer] = weft::Stream<std::string>::make(loop_);
  auto [end, end_writer] = weft::Future<End>::make(loop_);
  loop_.spawn(answer(dialect_, *std::move(exchange), request.model, std::move(text_writer),
                     std::move(end_writer)));
  co_return Answered(llm::Reply{.text = std::move(text), .end = std::move(end)});
}

Task<Or<std::string>> Host::fetch(HttpAsk what, std::string model) {
  using Fetched = Or<std::string>;
  auto exchange = co_await endpoint_.ask(std::move(what));
  if (!exchange) co_return Fetched(std::unexpect, failure_of(exchange.error()));
  Exchange& begun = **exchange;
  auto body = co_await begun.read_all(kBodyMax);
  if (!body) co_return Fetched(std::unexpect, failure_of(body.error()));
  if (begun.status() != 200) {
    co_return Fetched(std::unexpect, error_of(begun.status(), begun.retry_after(), model, *body));
  }
  co_return Fetched(*std::move(body));
}

Task<Or<std::vector<llm::Model>>> Host::fetch_list() {
  CO_TRY(auto body, co_await fetch(dialect_->list(), ""));
  if (!body) co_return Or<std::vector<llm::Model>>(std::unexpect, body.error());
  co_return dialect_->read_list(*body);
}

Task<Or<llm::Details>> Host::fetch_details(std::string name) {
  // The key goes along to whatever path the name makes.
  if (leads_elsewhere(name)) {
    co_return Or<llm::Details>(std::unexpect, llm::Error::no_such_model(std::move(name)));
  }
  CO_TRY(auto body, co_await fetch(dialect_->show(name), name));
  if (!body) co_return Or<llm::Details>(std::unexpect, body.error());
  co_return dialect_->read_show(name, *body);
}
