#include "capabilities/logging/logging.h"

#include "base/record_gate.h"
#include "capabilities/hosted.h"
#include "capabilities/offer_table.h"
#include "io/loop.h"
#include "wit/wasi/logging/logging.h"
#include "wit/wasi/logging_0_1_0_draft/logging.h"

namespace weft::logging {
namespace {

namespace draft = ::weft::wit::wasi::logging_0_1_0_draft::logging;
namespace plain = ::weft::wit::wasi::logging::logging;

// The host's log has neither trace nor critical: the field `level` tells those.
template <class Level>
LogLevel level_of(Level level) {
  switch (level) {
    case Level::kTrace:
    case Level::kDebug: return LogLevel::kDebug;
    case Level::kInfo: return LogLevel::kInfo;
    case Level::kWarn: return LogLevel::kWarn;
    case Level::kError:
    case Level::kCritical: return LogLevel::kError;
  }
  return LogLevel::kError;
}

template <class Base, class Level>
class Host final : public Base {
 public:
  Host(const Sink& sink, Loop& loop) : sink_(sink), gate_(loop.now()) {}

  Answer<void> log(Call& call, Level level, std::string_view context,
                   std::string_view message) override {
    Context& who = call.context();
    if (!log::enabled(level_of(level)) || !gate_.pass(who.loop().now())) return {};
    if (auto dropped = gate_.take_dropped(); dropped > 0) {
      sink_(LogLevel::kWarn, "records of this component were dropped: it logs too much",
            {{"app", who.app()}, {"component", who.component()}, {"dropped", dropped}});
    }
    // The guest's words come last and as values: they are quoted, and what is cut is theirs.
    constexpr std::size_t kContextBytesMax = 256;
    sink_(level_of(level), "log",
          {{"app", who.app()},
           {"component", who.component()},
           {"request", who.request_id},
           {"level", to_string(level)},
           {"context", context.substr(0, kContextBytesMax)},
           {"text", message}});
    return {};
  }

 private:
  const Sink& sink_;
  RecordGate gate_;
};

using Make = std::unique_ptr<Provider> (*)(const Sink&, Loop&);

template <class Base, class Level, class Binding>
std::unique_ptr<Provider> make(const Sink& sink, Loop& loop) {
  return std::make_unique<Hosted<Host<Base, Level>, Binding>>(sink, loop);
}

constexpr OfferTable<Make, 2> kTable({
    {{draft::kName, draft::kFunctions}, make<draft::Host, draft::Level, draft::Binding>},
    {{plain::kName, plain::kFunctions}, make<plain::Host, plain::Level, plain::Binding>},
});

}  // namespace

Sink process_log() {
  return [](LogLevel level, std::string_view message, LogFields fields) {
    log::write(level, "guest", message, fields);
  };
}

std::span<const Offer> LoggingCapability::offers() const {
  return kTable.offers();
}

std::unique_ptr<Provider> LoggingCapability::provider(const Offer& offer, Site site) {
  return kTable.maker(offer)(sink_, site.loop);
}

}  // namespace weft::logging
