#include "remote/breaker.h"

#include <algorithm>

namespace weft::remote {

void Breaker::succeeded() {
  failing_ = false;
  open_ = false;
  next_ = Time();
  delay_ = kRetryFirst;
}

void Breaker::failed(Time began, Time now) {
  if (!failing_) since_ = began;
  failing_ = true;
  auto spread = std::max<std::int64_t>(delay_.count() / 2, 1);
  next_ = now + delay_ - std::chrono::milliseconds(static_cast<std::int64_t>(random_()) % spread);
  delay_ = std::min(delay_ * 2, kRetryMax);
  if (now - since_ >= kPatience) open_ = true;
}

}  // namespace weft::remote
