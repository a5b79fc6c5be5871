#include "remote/etcd/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <random>
#include <utility>

#include "base/log.h"
#include "io/loop.h"
#include "remote/base64.h"

namespace weft::remote::etcd {
namespace {

namespace json = boost::json;

}  // namespace

Watch::Watch(std::shared_ptr<Client> client, std::string key, std::string range_end,
             std::uint64_t revision, Listener listener)
    : client_(std::move(client)),
      key_(std::move(key)),
      range_end_(std::move(range_end)),
      revision_(revision),
      listener_(std::move(listener)),
      breaker_(std::random_device{}()),
      timer_(client_->loop(), [this] { begin(); }) {
  begin();
}

Watch::~Watch() = default;

// A small read first: it logs in where that is needed, finds a server that is there, and says
// which revision is the newest.
void Watch::begin() {
  transfer_.reset();
  began_ = client_->loop().now();
  std::string body = fmt::format(R"({{"key":"{}","count_only":true}})", base64(as_bytes(key_)));
  client_->ask("kv/range", std::move(body), Deadline::after(client_->settings().timeout * 2),
               Client::Repeat::kYes,
               [this, alive = std::weak_ptr(alive_)](Result<json::object> answer) {
                 if (alive.expired()) return;
                 if (!answer) return again();
                 const json::object* header = object_in(*answer, "header");
                 listen(header == nullptr ? 0 : number_in(*header, "revision"));
               });
}

void Watch::listen(std::uint64_t now) {
  // A server of before a restore from a backup, or another one.
  if (now < revision_) {
    revision_ = now;
    listener_.lost();
  }
  body_ =
      fmt::format(R"({{"create_request":{{"key":"{}","range_end":"{}","start_revision":"{}"}}}})",
                  base64(as_bytes(key_)), base64(as_bytes(range_end_)), revision_ + 1);
  body_at_ = 0;
  status_ = 0;
  line_.clear();
  broken_ = false;
  HttpClientRequest request{.method = "POST",
                            .url = client_->url("watch"),
                            .headers = client_->headers(),
                            .body_length = static_cast<std::int64_t>(body_.size()),
                            .between_bytes_timeout = kWatchAnew};
  auto started = client_->http_.start(request, *this);
  if (!started) return again();
  transfer_ = *std::move(started);
}

std::int64_t Watch::read(std::span<std::uint8_t> room) {
  std::size_t part = std::min(room.size(), body_.size() - body_at_);
  std::copy_n(body_.begin() + static_cast<std::ptrdiff_t>(body_at_), part, room.begin());
  body_at_ += part;
  return part == 0 ? kEnd : static_cast<std::int64_t>(part);
}

void Watch::data(BytesView bytes) {
  std::string_view text = as_text(bytes);
  while (!text.empty() && !broken_) {
    std::size_t end = text.find('\n');
    std::string_view part = text.substr(0, end);
    if (line_.size() + part.size() > kWatchLineMax) {
      broken_ = true;
      log::warn("etcd", "a watch says more at once than is taken", {});
      break;
    }
    line_ += part;
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    line(std::exchange(line_, {}));
  }
  // The transfer ends then: not inside of its call.
  if (broken_ && !timer_.armed()) again();
}

void Watch::line(std::string_view text) {
  boost::system::error_code problem;
  json::value value = json::parse(json::string_view(text.data(), text.size()), problem);
  const json::object* all = problem ? nullptr : value.if_object();
  const json::object* result = all == nullptr ? nullptr : object_in(*all, "result");
  if (status_ != 200 || result == nullptr) {
    broken_ = true;
    return;
  }
  breaker_.succeeded();
  const json::value* canceled = result->if_contains("canceled");
  if (canceled != nullptr && canceled->is_bool() && canceled->get_bool()) {
    broken_ = true;
    std::uint64_t compacted = number_in(*result, "compact_revision");
    if (compacted == 0) return;
    revision_ = std::max(revision_, compacted);
    return listener_.lost();
  }
  const json::array* events = array_in(*result, "events");
  if (events == nullptr) return;
  std::vector<Event> told;
  for (const json::value& each : *events) {
    const json::object* object = each.if_object();
    const json::object* kv = object == nullptr ? nullptr : object_in(*object, "kv");
    if (kv == nullptr) continue;
    auto key = bytes_in(*kv, "key");
    auto bytes = bytes_in(*kv, "value");
    if (!key || !bytes) {
      broken_ = true;
      return;
    }
    Event event{std::string(as_text(*key)), *std::move(bytes), number_in(*kv, "mod_revision")};
    const json::value* type = object->if_contains("type");
    if (type != nullptr && type->is_string() && type->get_string() == "DELETE") event.value.reset();
    told.push_back(std::move(event));
  }
  if (told.empty()) return;
  revision_ = std::max(revision_, told.back().revision);
  listener_.changed(std::move(told));
}

// The server ended it, which it does when it stops.
void Watch::finished(const HttpHeaders&) {
  again();
}

void Watch::failed(HttpProblem problem, const std::string&) {
  // Nothing happened for a while, on a connection that was good: at once, and not as a failure.
  if (problem == HttpProblem::kReadTimeout && status_ == 200) return begin();
  again();
}

void Watch::again() {
  breaker_.failed(began_, client_->loop().now());
  timer_.arm(Deadline::at(breaker_.next()));
}

}  // namespace weft::remote::etcd
