#include "node/control/events_stream.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "io/blocking.h"
#include "io/loop.h"
#include "node/events/cloud_events.h"
#include "node/events/event_reader.h"

namespace weft::node::control {
namespace {

// A reader that the disk's threads use in turn.
using ReaderPtr = std::shared_ptr<events::EventReader>;

Result<std::string> read_some(events::EventReader& reader) {
  std::string text;
  for (std::size_t i = 0; i < kEventsAtOnce; ++i) {
    TRY(auto event, reader.next());
    if (!event) break;
    text += fmt::format("id: {}\ndata: {}\n\n", event->sequence,
                        events::cloud_event(*event, reader.node()));
  }
  return text;
}

}  // namespace

Task<void> send_events(wire::Serving& serving, Loop& loop, daemon::Node& node, std::uint64_t from) {
  daemon::NodeParts& parts = node.parts();
  auto opened = co_await blocking(parts.pool, loop,
                                  [folder = parts.events.folder(), from]() -> Result<ReaderPtr> {
                                    TRY(auto reader, events::EventReader::open(folder, from));
                                    return std::make_shared<events::EventReader>(std::move(reader));
                                  });
  if (!opened) {
    serving.refuse(opened.error());
    co_return Result<void>();
  }
  ReaderPtr reader = *opened;
  // What is posted when there is more finds nobody once this is over.
  auto alive = std::make_shared<int>(0);
  auto following = parts.events.follow([&loop, &serving, known = std::weak_ptr(alive)](auto) {
    loop.post([&serving, known] {
      if (auto held = known.lock()) serving.signal().raise();
    });
  });
  const Header headers[] = {{"content-type", "text/event-stream"}, {"cache-control", "no-store"}};
  CO_TRY_VOID(serving.exchange().begin_response(200, headers, std::nullopt));
  while (!serving.gone()) {
    if (serving.exchange().writable() == 0) {
      CO_TRY_VOID(co_await serving.signal().wait(Deadline::never()));
      continue;
    }
    auto text = co_await blocking(parts.pool, loop, [reader] { return read_some(*reader); });
    if (!text) {
      // It cannot be told otherwise: the client sees that the stream broke off.
      serving.exchange().abort();
      co_return std::unexpected(std::move(text).error());
    }
    if (!text->empty()) {
      serving.exchange().write(as_bytes(*text));
      continue;
    }
    CO_TRY_VOID(co_await serving.signal().wait(Deadline::never()));
  }
  co_return Result<void>();
}

}  // namespace weft::node::control
