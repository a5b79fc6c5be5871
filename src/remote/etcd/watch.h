#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "remote/etcd/client.h"

namespace weft::remote::etcd {

// Of what one watch says at once.
inline constexpr std::size_t kWatchLineMax = 64UL << 20;
// A watch on which nothing happens is begun anew so often: a server that went without a word is
// found out then. The longest that a change may take to be seen when that happens.
inline constexpr std::chrono::seconds kWatchAnew{30};

struct Event {
  std::string key;
  std::optional<Bytes> value;  // Absent: the key was deleted.
  std::uint64_t revision = 0;
};

// Changes of the keys from `key` up to `range_end`, in their order and each once, for as long as it
// is there, whatever becomes of connections in between. Uses the client's settings and login.
//
// On its loop's thread; callbacks come from handlers of it, and may not destroy the watch.
class Watch : private HttpTransferListener {
 public:
  struct Listener {
    std::function<void(std::vector<Event>)> changed;
    // etcd has forgotten what changed since the last event: all of it is to be read again. What
    // comes after that is told from then on.
    std::function<void()> lost;
  };

  // Changes after `revision`, which a read of the same keys had.
  Watch(std::shared_ptr<Client> client, std::string key, std::string range_end,
        std::uint64_t revision, Listener listener);
  Watch(const Watch&) = delete;
  ~Watch() override;

 private:
  bool may_connect(const IpAddress&) override { return true; }
  std::int64_t read(std::span<std::uint8_t> room) override;
  void head(unsigned status, const HttpHeaders&) override { status_ = status; }
  bool has_room() override { return true; }
  void data(BytesView bytes) override;
  void finished(const HttpHeaders& trailers) override;
  void failed(HttpProblem problem, const std::string& detail) override;

  void begin();
  void listen(std::uint64_t now);
  void line(std::string_view text);
  void again();

  // Shared with others of the loop.
  const std::shared_ptr<Client> client_;
  const std::string key_;
  const std::string range_end_;
  std::uint64_t revision_;  // Of the last that was told.
  Listener listener_;
  Breaker breaker_;
  Breaker::Time began_{};
  Timer timer_;
  std::unique_ptr<HttpTransfer> transfer_;
  std::string body_;
  std::size_t body_at_ = 0;
  unsigned status_ = 0;
  std::string line_;     // What has come of one.
  bool broken_ = false;  // What comes on this connection is no use any more.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // For answers that come later.
};

}  // namespace weft::remote::etcd
