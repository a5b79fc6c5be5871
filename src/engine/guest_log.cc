#include "engine/guest_log.h"

#include "base/id.h"
#include "base/log.h"
#include "engine/deployment.h"
#include "io/loop.h"

namespace weft {

GuestLog::GuestLog(const Deployment& deployment)
    : deployment_(deployment),
      gate_(deployment.engine.loop().now()),
      dropped_(deployment.engine.loop(), [this] { tell_dropped(); }) {}

void GuestLog::write(std::string_view line, std::uint64_t request) {
  if (deployment_.meter != nullptr) deployment_.meter->lines.add();
  if (gate_.pass(deployment_.engine.loop().now())) {
    if (request != 0) {
      log::info(deployment_.component, line,
                {{"app", deployment_.app}, {"request", id_text(request)}});
    } else {
      log::info(deployment_.component, line, {{"app", deployment_.app}});
    }
  } else if (!dropped_.armed()) {
    dropped_.arm(Deadline::after(std::chrono::seconds(1)));
  }
}

void GuestLog::tell_dropped() {
  std::uint64_t dropped = gate_.take_dropped();
  if (dropped == 0) return;
  log::warn(deployment_.component, "lines of this component were dropped: it prints too much",
            {{"app", deployment_.app}, {"dropped", dropped}});
}

}  // namespace weft
