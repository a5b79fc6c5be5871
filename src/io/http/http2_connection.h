#pragma once

#include <memory>

#include "base/buffer.h"
#include "base/deadline.h"
#include "io/handler_memory.h"
#include "io/http/http2_session.h"
#include "io/http/transport.h"
#include "io/timer.h"

namespace weft {

class HttpListener;

// The socket of an HTTP/2 connection: what comes goes to its Http2Session, what that makes goes out
// at the end of each turn. Held by its listener while it is open and by each operation under way;
// the last one deletes it.
class Http2Connection final : public HttpConnection {
 public:
  // `first`: what was read already. Owns itself.
  static void start(std::shared_ptr<HttpListener> listener, HttpTransport transport,
                    BytesView first);

  void drain() override;
  void shut() override;

 private:
  using Time = Deadline::Clock::time_point;
  struct OnReadable;
  struct OnWritable;

  // What is read of one connection and sent to it in one turn, so that the others have theirs.
  static constexpr std::size_t kReadBytes = 16 * 1024;
  static constexpr int kReadsPerTurn = 4;
  static constexpr int kSendsPerTurn = 4;
  static constexpr std::size_t kOutKept = 8 * 1024;

  enum class Phase : std::uint8_t { kOpen, kLinger, kClosed };

  Http2Connection(std::shared_ptr<HttpListener> listener, HttpTransport transport);
  ~Http2Connection() = default;

  void ref() { ++refs_; }
  void unref();
  void schedule();
  void settle();
  void read_more();
  void on_readable();
  bool send();
  void finish();
  void lost();
  void close_now();
  void on_timer();
  void set_due();

  std::shared_ptr<HttpListener> listener_;  // Shared: see HttpListener.
  HttpTransport transport_;
  Timer timer_;
  HandlerMemory read_memory_;
  HandlerMemory write_memory_;
  std::unique_ptr<Http2Session> session_;
  unsigned refs_ = 1;  // The listener's.
  Phase phase_ = Phase::kOpen;
  bool scheduled_ = false;
  bool reading_ = false;
  bool writing_ = false;
  Buffer out_;
  std::size_t sent_ = 0;
  std::size_t discarded_ = 0;
  Time write_due_ = Time::max();
  Time linger_due_ = Time::max();
};

}  // namespace weft
