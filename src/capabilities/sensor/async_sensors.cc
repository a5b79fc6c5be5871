// weft:sensor/async-sensors@0.1.0.
#include "wit/weft/sensor_0_1_0/async_sensors.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "capabilities/hosted.h"
#include "capabilities/sensor/host.h"
#include "io/loop.h"

namespace weft::sensor {
namespace {

namespace wit = ::weft::wit::weft::sensor_0_1_0::async_sensors;

// Of `all`: how many lie in a stream while its reader is at work. Of the other policies it is one:
// what lies there is not replaced by what is newer.
constexpr std::size_t kInStreamMax = 64;

class AsyncHost;

// Puts what is next into a stream when its reader has taken what is there.
class Flow : public std::enable_shared_from_this<Flow> {
 public:
  Flow(AsyncHost& host, Loop& loop, StreamWriter<types::Measurement> writer, Policy policy)
      : host_(host),
        loop_(loop),
        writer_(std::move(writer)),
        most_(policy.kind == Policy::Kind::kAll ? kInStreamMax : 1) {}
  ~Flow() {
    if (writer_.end()) writer_.finish();
  }

  void begin(std::unique_ptr<Feed> feed) {
    feed_ = std::move(feed);
    wait();
  }
  void go_on();

 private:
  void wait() {
    writer_.end().wait([weak = weak_from_this(), &loop = loop_] {
      loop.post([weak] {
        auto self = weak.lock();
        if (self == nullptr) return;
        self->full_ = false;
        self->wait();
        self->go_on();
      });
    });
  }

  AsyncHost& host_;
  Loop& loop_;
  StreamWriter<types::Measurement> writer_;
  const std::size_t most_;
  bool full_ = false;
  std::unique_ptr<Feed> feed_;
};

class AsyncHost final : public wit::Host {
 public:
  explicit AsyncHost(std::unique_ptr<Spaces> spaces) : spaces_(std::move(spaces)) {}

  Answer<Or<std::vector<types::Sensor>>> list(Call& call, std::string_view pattern) override {
    return list_of(*spaces_, call, pattern);
  }
  Answer<Or<types::Measurement>> read(Call& call, std::string_view name) override {
    return read_of(*spaces_, call, name);
  }
  Answer<Or<Stream<types::Measurement>>> subscribe(Call& call, std::string_view pattern,
                                                   types::Policy policy) override {
    using Made = Or<Stream<types::Measurement>>;
    Loop& loop = call.context().loop();
    auto [stream, writer] = Stream<types::Measurement>::make(loop);
    auto flow = std::make_shared<Flow>(*this, loop, std::move(writer), policy_of(policy));
    Result<std::unique_ptr<Feed>> feed =
        feed_of(*spaces_, call, pattern, policy, [weak = std::weak_ptr(flow)] {
          if (auto self = weak.lock()) self->go_on();
        });
    if (!feed) return Made(std::unexpected(failure_of(feed.error())));
    flow->begin(*std::move(feed));
    flows_.insert(std::move(flow));
    return Made(std::move(stream));
  }

  void drop(const std::shared_ptr<Flow>& flow) { flows_.erase(flow); }

 private:
  std::unique_ptr<Spaces> spaces_;
  // Those whose readers are there; each watches, so they are bounded as those who do.
  std::set<std::shared_ptr<Flow>> flows_;
};

void Flow::go_on() {
  auto keep = shared_from_this();
  if (writer_.end().abandoned()) return host_.drop(keep);
  std::size_t room = std::min(most_, writer_.end().room());
  if (full_ || room == 0 || !feed_->any()) return;
  full_ = true;
  for (Measurement& each : feed_->take(room)) {
    // There is room, and no measurement is too large for the wire.
    CHECK(writer_.try_write(measurement_of(std::move(each))).value_or(false));
  }
}

}  // namespace

std::unique_ptr<Provider> async_sensors_provider(std::unique_ptr<Spaces> spaces) {
  return std::make_unique<Hosted<AsyncHost, wit::Binding>>(std::move(spaces));
}

}  // namespace weft::sensor
