// The chat's paths:
//
//   POST /rooms/ROOM/messages   a form with name, text and maybe an id: says it
//   GET  /rooms/ROOM/events     server-sent events: what was said, and what will be

#include <unistd.h>

#include <array>
#include <chrono>

#include "guest.hpp"
#include "rooms.h"
#include "weft/clock.h"
#include "weft/http.h"

namespace {

using namespace std::chrono_literals;
using weft::Task;
using weft::http::Request;
using weft::http::Response;

constexpr std::size_t kFormMax = 16 * 1024;
// How often a stream looks for news. A guest cannot wait for a key.
constexpr auto kLookEvery = 100ms;
// How long a number whose message is not there holds up the ones behind it.
constexpr auto kGapMax = 2s;
// Tells both sides that the other one is there.
constexpr auto kBeatEvery = 5s;
// Then the page opens the next one. A host that stops lets requests end first, and waits for them
// 30 s at most.
constexpr auto kStreamMax = 10s;

Task<> reply_json(std::uint16_t status, std::string text, weft::http::Headers headers = {}) {
  headers.push_back({"content-type", "application/json"});
  headers.push_back({"x-content-type-options", "nosniff"});
  Response response(status, headers);
  co_await response.write(text);
  co_await response.finish();
}

Task<> fail(std::uint16_t status, std::string message) {
  co_await reply_json(status, "{\"error\":" + chat::quoted(message) + "}\n");
}

Task<> refuse_method(std::string allowed) {
  co_await reply_json(405, "{\"error\":\"only " + allowed + " is done here\"}\n",
                      {{"allow", allowed}});
}

std::string new_id() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, 16> bytes{};
  getentropy(bytes.data(), bytes.size());
  std::string id;
  for (unsigned char each : bytes) id += {kDigits[each >> 4], kDigits[each & 15]};
  return id;
}

Task<> say(std::string room, Request request) {
  auto form = co_await std::move(request).body().read_all(kFormMax);
  if (!form) {
    bool long_one = form.error().code == weft::Code::kTooLong;
    co_return co_await fail(long_one ? 413 : 400, form.error().message);
  }
  auto message = chat::read_message(*form);
  if (!message) co_return co_await fail(400, message.error());
  auto rooms = chat::Rooms::open();
  // A store that is away keeps nobody from speaking: what is said waits for it.
  auto may = rooms ? rooms->may_speak(room) : true;
  if (may && !*may) {
    co_return co_await fail(
        409, "there are " + std::to_string(chat::kRoomsMax) + " rooms already: choose one of them");
  }
  if (message->id.empty()) message->id = new_id();
  auto now = std::chrono::system_clock::now().time_since_epoch();
  message->at = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  std::string text = chat::form_of(*message);
  weft::wit::wasmcloud::messaging_0_2_0::types::BrokerMessage out{
      .subject = "chat." + room, .body = {text.begin(), text.end()}, .reply_to = {}};
  auto sent = weft::wit::wasmcloud::messaging_0_2_0::consumer::publish(out);
  if (!sent) co_return co_await fail(503, sent.error());
  co_await reply_json(202, "{\"id\":" + chat::quoted(message->id) + "}\n");
}

// Where one client stands in a room.
class Reader {
 public:
  Reader(chat::Rooms rooms, std::string room, std::uint64_t after)
      : rooms_(std::move(rooms)), room_(std::move(room)), after_(after) {}

  // The events of what is new, none where nothing is.
  weft::Result<std::string> news() {
    auto page = rooms_.behind(room_, after_);
    if (!page) return std::unexpected(std::move(page).error());
    if (page->last < after_) {
      after_ = 0;
      return "event: reset\nid: 0\ndata: 0\n\n";
    }
    std::string events;
    more_ = page->messages.size() == chat::kPageMax;
    for (std::size_t i = 0; i < page->messages.size(); ++i) {
      const auto& form = page->messages[i];
      std::uint64_t number = page->first + i;
      if (!form && is_awaited(number)) {
        more_ = false;
        break;
      }
      after_ = number;
      auto message = form ? chat::read_message(*form) : std::unexpected(std::string());
      if (!message) continue;
      events += "id: " + std::to_string(number) + "\ndata: " + chat::json_of(*message) + "\n\n";
    }
    return events;
  }
  // Whether there is more that can be read at once.
  bool more() const { return more_; }

 private:
  // A message that is not there may still be on its way, or never come.
  bool is_awaited(std::uint64_t number) {
    if (gap_ != number) gap_since_ = weft::now();
    gap_ = number;
    return weft::now() - gap_since_ < kGapMax;
  }

  chat::Rooms rooms_;
  std::string room_;
  std::uint64_t after_;
  std::uint64_t gap_ = 0;
  std::chrono::nanoseconds gap_since_{0};
  bool more_ = false;
};

Task<> stream(std::string room, std::uint64_t after) {
  auto rooms = chat::Rooms::open();
  if (!rooms) co_return co_await fail(503, rooms.error().message);
  Reader reader(*std::move(rooms), std::move(room), after);
  auto news = reader.news();
  if (!news) co_return co_await fail(503, news.error().message);

  Response response(200, weft::http::Headers{{"content-type", "text/event-stream"},
                                             {"cache-control", "no-store"},
                                             {"x-accel-buffering", "no"},
                                             {"x-content-type-options", "nosniff"}});
  if (!co_await response.write("retry: 1000\n\n" + *news)) co_return;
  auto began = weft::now();
  auto written = began;
  while (weft::now() - began < kStreamMax) {
    if (!reader.more()) co_await weft::sleep_for(kLookEvery);
    news = reader.news();
    // The browser asks again, and is told why then.
    if (!news) break;
    if (news->empty() && weft::now() - written < kBeatEvery) continue;
    if (!co_await response.write(news->empty() ? ":\n\n" : *news)) co_return;
    written = weft::now();
  }
  if (news) co_await response.write("event: end\ndata: 0\n\n");
  co_await response.finish();
}

// Where a client that was here before goes on.
std::expected<std::uint64_t, std::string> position(const Request& request) {
  std::string text = request.header("last-event-id").value_or("");
  if (text.empty()) text = request.parameter("after").value_or("0");
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stop == end) return number;
  return std::unexpected("the last event's id is the number of a message");
}

}  // namespace

Task<> weft::http::handle(Request request) {
  static constexpr std::string_view kRooms = "/rooms/";
  std::string path = decode(request.path());
  std::string method = request.method();
  std::string_view rest = std::string_view(path).substr(std::min(path.size(), kRooms.size()));
  std::size_t cut = std::min(rest.find('/'), rest.size());
  std::string room(rest.substr(0, cut));
  std::string_view what = rest.substr(cut);
  if (!path.starts_with(kRooms) || (what != "/messages" && what != "/events")) {
    co_return co_await fail(404, "there is /rooms/ROOM/messages and /rooms/ROOM/events");
  }
  if (!chat::is_room(room)) {
    co_return co_await fail(400, "a room's name is 1 to 32 of a-z, 0-9 and -");
  }
  if (what == "/messages") {
    if (method != "POST") co_return co_await refuse_method("POST");
    co_return co_await say(std::move(room), std::move(request));
  }
  if (method != "GET") co_return co_await refuse_method("GET");
  auto after = position(request);
  if (!after) co_return co_await fail(400, after.error());
  co_await stream(std::move(room), *after);
}
