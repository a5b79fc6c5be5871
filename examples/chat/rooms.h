// All that the chat does with its key-value store: which system that is, is none of its business.
//
//   last/ROOM          the number of the last message: a counter, so that no two have one
//   said/ROOM/NUMBER   a message, as a form; the last kHistoryMax of a room are kept
//   known/ROOM/ID      the number of the message with that id
//   rooms              how many there are
#pragma once

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "message.h"
#include "weft/keyvalue.h"

namespace chat {

inline constexpr std::uint64_t kHistoryMax = 200;
inline constexpr std::uint64_t kRoomsMax = 1'000;
// Messages that are read at once.
inline constexpr std::uint64_t kPageMax = 50;

// What follows a number in a room.
struct Page {
  std::uint64_t last = 0;   // The room's number when it was looked at.
  std::uint64_t first = 1;  // The number of messages[0].
  // By number. A message may be on its way into the store while later ones are there; a number
  // whose message was never kept stays empty.
  std::vector<std::optional<std::string>> messages;
};

class Rooms {
 public:
  static weft::Result<Rooms> open() {
    auto bucket = weft::keyvalue::open("rooms");
    if (!bucket) return std::unexpected(std::move(bucket).error());
    return Rooms(*std::move(bucket));
  }

  // The number of the room's last message, 0 where nothing was said.
  weft::Result<std::uint64_t> last(std::string_view room) const {
    return number(key("last", room));
  }

  // Whether something may be said there: it is there already, or there is room for one more. Of
  // those that begin in the same moment some may be too many.
  weft::Result<bool> may_speak(std::string_view room) const {
    auto spoken = last(room);
    if (!spoken || *spoken > 0) return spoken.transform([](auto) { return true; });
    return number("rooms").transform([](auto count) { return count < kRoomsMax; });
  }

  // Puts a message at the end of a room, once, however often it is brought. A number may stay
  // without a message: where this ends between taking it and writing.
  weft::Result<> keep(std::string_view room, const Message& message) const {
    std::string known = key("known", room) + "/" + message.id;
    auto given = number(known);
    if (!given) return std::unexpected(std::move(given).error());
    bool again = *given != 0;
    if (!again) {
      given = bucket_.increment(key("last", room));
      if (!given) return std::unexpected(std::move(given).error());
      // A failure here is a room too many at most.
      if (*given == 1) (void)bucket_.increment("rooms");
    }
    // What stands there stays: an id is no right to change what was said.
    weft::Result<bool> there = false;
    if (again) there = bucket_.exists(said(room, *given));
    if (!there) return std::unexpected(std::move(there).error());
    if (*there) return forget_behind(room, *given);
    // The id first, for stores that write one after the other: then a second try finds the number.
    auto kept =
        bucket_.set_many({{known, std::to_string(*given)}, {said(room, *given), form_of(message)}});
    return kept ? forget_behind(room, *given) : kept;
  }

  // What was said behind number `after`: a page of it, from as far back as it is kept.
  weft::Result<Page> behind(std::string_view room, std::uint64_t after) const {
    auto spoken = last(room);
    if (!spoken) return std::unexpected(std::move(spoken).error());
    std::uint64_t kept = *spoken > kHistoryMax ? *spoken - kHistoryMax : 0;
    Page page{.last = *spoken, .first = std::max(after, kept) + 1};
    std::vector<std::string> keys;
    for (auto each = page.first; each <= page.last && keys.size() < kPageMax; ++each) {
      keys.push_back(said(room, each));
    }
    if (keys.empty()) return page;
    auto found = bucket_.get_many(keys);
    if (!found) return std::unexpected(std::move(found).error());
    page.messages = *std::move(found);
    return page;
  }

 private:
  explicit Rooms(weft::keyvalue::Bucket bucket) : bucket_(std::move(bucket)) {}

  static std::string key(std::string_view kind, std::string_view room) {
    return std::string(kind) + "/" + std::string(room);
  }
  static std::string said(std::string_view room, std::uint64_t number) {
    return key("said", room) + "/" + std::to_string(number);
  }
  weft::Result<std::uint64_t> number(std::string_view key) const {
    return bucket_.get(key).transform([](const std::optional<std::string>& text) {
      return text ? std::uint64_t{std::strtoull(text->c_str(), nullptr, 10)} : 0;
    });
  }
  // Removes what a message put behind the history, with its id.
  weft::Result<> forget_behind(std::string_view room, std::uint64_t number) const {
    if (number <= kHistoryMax) return {};
    std::string gone = said(room, number - kHistoryMax);
    auto old = bucket_.get(gone);
    if (!old) return std::unexpected(std::move(old).error());
    if (!*old) return {};
    return bucket_.remove_many({gone, key("known", room) + "/" + field(**old, "id").value_or("")});
  }

  weft::keyvalue::Bucket bucket_;
};

}  // namespace chat
