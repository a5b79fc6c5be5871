#include "node/wire/node_handler.h"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "io/loop.h"
#include "node/object/hash.h"
#include "node/object/record.h"
#include "node/wire/serving.h"

namespace weft::node::wire {
namespace {

constexpr int kOk = 200;
constexpr std::string_view kRequestPath = "/weft/1/request";
constexpr std::string_view kChunksPath = "/weft/1/chunks/";
constexpr std::string_view kHavePath = "have/";
constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);
// Until a request has come, which is at most a few packets, and a chunk: no slower than 1 KiB/s.
constexpr std::chrono::seconds kRequestReadMax{30};
constexpr std::chrono::seconds kChunkReadMax{64};

bool streams(Action action) {
  return action == Action::kRun || action == Action::kCall || action == Action::kResume;
}

// Sends what the reader gives as it comes, until the receipt has left. What it waits for has a
// bound elsewhere: the run ends, and a client that takes nothing is cut off by the server.
Task<void> send_stream(Serving& serving, OutputReader& reader) {
  const Header headers[] = {{"content-type", "application/x-weft-stream"},
                            {"cache-control", "no-store"}};
  CO_TRY_VOID(serving.exchange().begin_response(kOk, headers, std::nullopt));
  while (!serving.gone()) {
    if (serving.exchange().writable() == 0) {
      CO_TRY_VOID(co_await serving.signal().wait(Deadline::never()));
      continue;
    }
    BytesView records = reader.next();
    if (!records.empty()) {
      serving.exchange().write(records);
      continue;
    }
    if (reader.over()) {
      serving.exchange().finish();
      co_return Result<void>();
    }
    CO_TRY_VOID(co_await serving.signal().wait(Deadline::never()));
  }
  co_return Serving::went();
}

// Takes what follows as it comes, and room for each piece of it. What ends it before is in `cut`,
// with the answer to it, if somebody is there to read one.
struct CutOff {
  Cut why = Cut::kGone;
  std::optional<Refusal> answer = {};
};
Task<void> read_follows(Serving& serving, std::size_t most, Deadline until, Follows& follows,
                        std::optional<CutOff>& cut) {
  for (;;) {
    std::size_t before = follows.bytes.size();
    auto more = co_await serving.read_some(follows.bytes, most + 1 - before, until);
    if (!more && more.error().code() == Errc::kTimeout) {
      cut = CutOff{Cut::kLate,
                   Refusal{410, "expired", "it expired before all that follows it had come"}};
      co_return Result<void>();
    }
    if (!more) {
      cut = CutOff();
      co_return std::unexpected(std::move(more).error());
    }
    if (!*more) co_return Result<void>();
    if (follows.bytes.size() > most) {
      cut = CutOff{
          Cut::kTooLong,
          Refusal{413, "limit", fmt::format("at most {} bytes may follow the request", most)}};
      co_return Result<void>();
    }
    if (auto room = follows.room.more(follows.bytes.size() - before); !room) {
      cut = CutOff{Cut::kNoRoom,
                   Refusal{status_of(room.error().code()),
                           std::string(to_string(room.error().code())), room.error().message()}};
      co_return Result<void>();
    }
  }
}

// What follows a request is not waited for beyond its life.
Deadline end_of(const Asked& asked) {
  UnixMs now = unix_now();
  UnixMs left = asked.request.expires > now ? asked.request.expires - now : 0;
  return Deadline::after(std::chrono::milliseconds(left));
}

Task<void> serve_request(Serving& serving, NodeApi& api) {
  Bytes body;
  Deadline until = Deadline::after(kRequestReadMax);
  auto cut = Refusal{400, "invalid", "the body ends before the request that it begins with does"};
  CO_TRY(bool whole, co_await serving.read_to(body, kLengthBytes, until));
  if (!whole) {
    serving.refuse(cut);
    co_return Result<void>();
  }
  std::uint32_t length = 0;
  std::memcpy(&length, body.data(), sizeof length);
  if (length > kRequestBytesMax) {
    serving.refuse({413, "limit", fmt::format("a request has at most {} bytes", kRequestBytesMax)});
    co_return Result<void>();
  }
  body.clear();
  CO_TRY(whole, co_await serving.read_to(body, length, until));
  if (!whole) {
    serving.refuse(cut);
    co_return Result<void>();
  }
  auto asked = api.admit(body, serving.exchange().peer());
  if (!asked) {
    serving.refuse(asked.error());
    co_return Result<void>();
  }
  // From here on it is somebody who may: what follows is taken, as much as is theirs.
  Follows follows{.room = api.follows_room(*asked)};
  std::optional<CutOff> cut_off;
  auto read =
      co_await read_follows(serving, api.follows_max(*asked), end_of(*asked), follows, cut_off);
  Action action = asked->request.action;
  if (!cut_off) {
    if (auto stands = api.stands(*asked); !stands) {
      cut_off = CutOff{Cut::kLate, std::move(stands).error()};
    }
  }
  if (!cut_off && (action == Action::kRun || action == Action::kCall) &&
      Hash::of(follows.bytes) != asked->request.arguments) {
    cut_off = CutOff{Cut::kMismatch,
                     Refusal{422, "corrupt", "the arguments are not those that the request names"}};
  }
  if (cut_off) {
    api.cut_off(*asked, cut_off->why, follows.bytes.size());
    if (cut_off->answer) serving.refuse(*cut_off->answer);
    co_return read;
  }
  if (!streams(action)) {
    auto answer = co_await api.answer(*std::move(asked), std::move(follows));
    if (!answer) {
      serving.refuse(api.told(answer.error()));
    } else {
      bool text = action == Action::kDescribe;
      serving.answer(kOk, text ? "application/json" : "application/octet-stream", *answer);
    }
    co_return Result<void>();
  }
  auto reader = co_await api.begin(*std::move(asked), std::move(follows),
                                   [&serving] { serving.signal().raise(); });
  if (!reader) {
    serving.refuse(api.told(reader.error()));
    co_return Result<void>();
  }
  co_return co_await send_stream(serving, **reader);
}

struct ChunkPath {
  Bytes ticket;
  std::uint32_t index = 0;  // With `have`: how many the asker knows of.
  bool have = false;
};

std::optional<ChunkPath> chunk_path(std::string_view path) {
  path.remove_prefix(kChunksPath.size());
  std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto ticket = from_hex(path.substr(0, slash));
  std::string_view number = path.substr(slash + 1);
  ChunkPath found;
  found.have = number.starts_with(kHavePath);
  if (found.have) number.remove_prefix(kHavePath.size());
  auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), found.index);
  if (!ticket || ticket->size() != kTicketBytes || code != std::errc() ||
      end != number.data() + number.size()) {
    return std::nullopt;
  }
  found.ticket = *std::move(ticket);
  return found;
}

Task<void> serve_chunk(Serving& serving, NodeApi& api, ChunkPath at, bool write) {
  if (!write) {
    auto chunk = at.have ? co_await api.have_chunks(std::move(at.ticket), at.index)
                         : co_await api.read_chunk(std::move(at.ticket), at.index);
    if (!chunk) {
      serving.refuse(api.told(chunk.error()));
    } else {
      serving.answer(kOk, "application/octet-stream", *chunk);
    }
    co_return Result<void>();
  }
  Bytes chunk;
  CO_TRY(bool fits,
         co_await serving.read_all(chunk, kFrameBytesMax, Deadline::after(kChunkReadMax)));
  if (!fits) {
    serving.refuse({413, "limit", "a chunk has at most 65536 bytes"});
    co_return Result<void>();
  }
  auto written = co_await api.write_chunk(std::move(at.ticket), at.index, std::move(chunk));
  if (!written) {
    serving.refuse(api.told(written.error()));
  } else {
    serving.answer(kOk, "application/octet-stream", {});
  }
  co_return Result<void>();
}

}  // namespace

NodeHandler::~NodeHandler() {
  CHECK(serving() == 0);
}

void NodeHandler::handle(HttpExchange::Ptr exchange) {
  auto pass = gate_.enter();
  if (!pass) return;  // Dropped: answered as broken off.
  loop_.spawn(serve(std::move(exchange), *std::move(pass)), [](Result<void>) {});
}

Task<void> NodeHandler::serve(HttpExchange::Ptr exchange, Gate::Pass pass) {
  Serving serving(loop_, std::move(exchange));
  const RequestHead& head = serving.exchange().request();
  std::string_view path = head.path;
  if (path == kRequestPath) {
    if (head.method == "POST") co_return co_await serve_request(serving, api_);
    serving.refuse({405, "invalid", "a request is sent with POST"});
  } else if (path.starts_with(kChunksPath)) {
    auto at = chunk_path(path);
    bool write = head.method == "PUT";
    if (at && (head.method == "GET" || (write && !at->have))) {
      co_return co_await serve_chunk(serving, api_, *std::move(at), write);
    }
    serving.refuse({404, "not-found", "no such chunk"});
  } else {
    serving.refuse({404, "not-found", "a node serves /weft/1/request"});
  }
  co_return Result<void>();
}

}  // namespace weft::node::wire
