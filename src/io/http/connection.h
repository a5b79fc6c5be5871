#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "io/handler_memory.h"
#include "io/http/exchange.h"
#include "io/http/limits.h"
#include "io/http/parser.h"
#include "io/http/transport.h"
#include "io/timer.h"

namespace weft {

class HttpListener;

// One HTTP/1 connection, and the one exchange that it carries at a time.
//
// A state machine, no coroutine. Whatever happens to it within one turn of the loop (bytes that
// come, calls of the serving side) only changes its state; `settle`, which runs last in the turn,
// sends, reads on and moves to the next request. Held by its listener while it is open, by each
// operation under way and by the serving side while it has the exchange; the last one deletes it.
class Http1Connection final : public HttpExchange, public HttpConnection {
 public:
  // Owns itself. A refused one says 503 and closes. One whose client begins with HTTP/2's preface
  // hands its place to an Http2Connection.
  static void start(std::shared_ptr<HttpListener> listener, HttpTransport transport,
                    Admission admission);

  void drain() override;
  void shut() override;

  Loop& loop() override;
  const RequestHead& request() const override { return parser_.head(); }
  std::string_view peer() override;
  std::string local() override;
  bool secure() const override { return tls_ != nullptr; }

  BytesView body() override;
  void consume_body(std::size_t count) override;
  BodyState body_state() override;
  std::span<const Header> request_trailers() const override;

  Result<void> begin_response(int status, std::span<const Header> headers,
                              std::optional<std::uint64_t> content_length) override;
  bool write(BytesView bytes) override;
  std::size_t writable() override;
  void finish() override;
  void finish_with_trailers(std::span<const Header> trailers) override;
  void abort() override;

 private:
  using Time = Deadline::Clock::time_point;
  struct OnRead;
  struct OnReadable;
  struct OnWritable;
  struct OnHangup;

  static constexpr std::size_t kHeadRoom = 2048;  // What an idle connection holds.
  static constexpr std::size_t kHeadKept = 8192;  // More than that is given back between requests.

  enum class Phase : std::uint8_t {
    kHead,      // waits for a request, or for the rest of its head
    kExchange,  // the serving side has the exchange, or its response is still on the way
    kDiscard,   // the response is out; the rest of the request's body is read and dropped
    kLinger,    // nothing more is served: what comes is dropped until the client closes
    kClosed,
  };
  // How a read ended that brought nothing.
  enum class ReadEnd : std::uint8_t {
    kHalf,  // the client sends nothing more, and may still take what it asked for
    kLost,  // it takes nothing either, or cannot be told from one that does not
  };
  enum class Framing : std::uint8_t { kUndecided, kLength, kChunked, kUntilClose, kNoBody };

  Http1Connection(std::shared_ptr<HttpListener> listener, HttpTransport transport,
                  Admission admission);
  ~Http1Connection() override;

  void ref() { ++refs_; }
  void unref();
  void release() override;
  void schedule();
  void settle();

  // Reading (connection.cc).
  void read_more();
  void read_into_body_room();
  void read_tls();
  bool hand_to_http2();
  void on_read(std::size_t count);
  void on_read_end(ReadEnd end);
  void on_half_closed();
  void on_hangup();
  void body_cut();
  void tell_body();
  void rewind();
  void parse();
  void begin_exchange();
  void end_exchange();
  void next_request();
  void discard();
  void report();
  bool advance_body();
  BytesView raw() const { return raw_->view().subspan(raw_pos_); }
  bool body_ended() const { return body_left_ == 0 && (!parser_.head().chunked || chunks_.done()); }
  void on_timer();
  void set_due();

  // Writing (response.cc).
  void refuse(HttpRefusal problem, const RequestHead& head = {});
  void answer_problem(HttpRefusal problem);
  void flush();
  bool frame_next();
  void decide_framing();
  bool send_segment();
  bool segment_empty() const { return sent_ == segment_size_; }
  std::size_t buffered() const { return pending_.size() + sending_.size(); }
  // Everything of the response has left.
  bool response_out() const { return finished_ && framed_end_ && segment_empty(); }
  void on_writable();
  void lost();
  void close_after_response();
  void close_now();
  void reset_now();

  std::shared_ptr<HttpListener> listener_;  // Shared: see HttpListener.
  std::optional<Gate::Pass> pass_;
  HttpTransport::Socket socket_;
  std::unique_ptr<TlsSession> tls_;  // Null for plain.
  Timer timer_;
  HandlerMemory read_memory_;
  HandlerMemory write_memory_;
  sockaddr_storage peer_{};
  std::string peer_text_;
  unsigned refs_ = 1;  // The listener's.

  Phase phase_ = Phase::kHead;
  bool scheduled_ = false;
  bool reading_ = false;
  bool read_ended_ = false;  // The client sends nothing more: nothing is read.
  bool rewinding_ = false;   // The read under way was called back.
  bool writing_ = false;     // Waits for the socket to take more.
  bool linger_asked_ = false;
  bool keep_alive_ = true;
  bool held_ = false;     // The serving side has the exchange.
  bool reported_ = true;  // The summary was given.
  bool served_ = false;   // A request came, whole.

  // The request. Its head stays in in_ until the exchange ends; its body is read behind the head
  // and, when that is used up, into body_in_.
  HeadParser parser_;
  ChunkDecoder chunks_;
  Buffer in_;
  Buffer body_in_;
  Buffer* raw_ = &in_;
  std::size_t raw_pos_ = 0;
  std::uint64_t body_left_ = 0;   // Of a Content-Length; with chunks: 1 until done.
  std::uint64_t body_bytes_ = 0;  // Taken so far.
  std::size_t discarded_ = 0;
  HttpRefusal body_problem_;
  bool body_wanted_ = false;  // The serving side found it dry and waits.
  bool continue_due_ = false;

  // The response.
  int status_ = 0;
  Framing framing_ = Framing::kUndecided;
  std::optional<std::uint64_t> length_;
  std::uint64_t written_ = 0;
  std::uint64_t dropped_ = 0;  // Written where the response has no body.
  bool begun_ = false;
  bool finished_ = false;
  bool head_framed_ = false;
  bool framed_end_ = false;
  bool write_wanted_ = false;
  bool broken_ = false;  // We broke it off, or answered for the serving side.
  Buffer head_;          // Interim and final heads that are not sent yet.
  Buffer pending_;       // Body bytes that are not framed yet.
  Buffer trailers_;
  // What is on the way: three pieces, of which sent_ bytes are gone.
  Buffer lead_;
  Buffer sending_;
  Buffer tail_;
  std::size_t sent_ = 0;
  std::size_t segment_size_ = 0;

  Time started_{};
  Time head_at_{};
  Time read_due_ = Time::max();
  Time write_due_ = Time::max();
};

}  // namespace weft
