// Locks through the SDK, in WASI 0.2: takes the lock that its argument names, renews it, prints its
// token, and releases it; then says what a second release and a try beside a holder give.
#include <chrono>
#include <cstdio>

#include "weft/lock.h"

using std::chrono_literals::operator""s;

int main(int count, char** words) {
  const char* name = count > 1 ? words[1] : "";
  auto guard = weft::lock::acquire(name, 5s, 1s);
  if (!guard) {
    std::printf("failed (%d): %s\n", static_cast<int>(guard.error().code),
                guard.error().message.c_str());
    return 1;
  }
  auto renewed = guard->renew(60s);
  std::printf("%llu %s\n", static_cast<unsigned long long>(guard->token()),
              renewed && guard->remaining() > 30s ? "renewed" : "not renewed");
  auto other = weft::lock::try_acquire(name, 5s);
  std::printf("try: %s\n", other && !*other ? "nothing" : "something");
  std::printf("release: %s\n", guard->release() ? "done" : "failed");
  auto again = guard->release();
  std::printf("again: %s\n", again ? "done" : again.error().message.c_str());
  return 0;
}
