#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/trace_context.h"
#include "io/http/message.h"

namespace weft {

class ExchangeObserver;
class HttpExchange;
class Loop;
struct RouteMeter;

// What whoever watches a server keeps with an exchange. The wire only carries it.
//
// A place in a ring of exchanges under way, which it leaves when it is destroyed.
struct ExchangeWatch {
  ExchangeWatch() = default;
  ExchangeWatch(const ExchangeWatch&) = delete;
  ~ExchangeWatch() { unlink(); }

  void link_before(ExchangeWatch& head) {
    unlink();
    next = &head;
    previous = head.previous;
    previous->next = head.previous = this;
  }
  void unlink() {
    if (next == nullptr) return;
    previous->next = next;
    next->previous = previous;
    next = previous = nullptr;
  }

  TraceContext trace;
  HttpExchange* exchange = nullptr;
  RouteMeter* meter = nullptr;  // Of the route that took it; null before, and once it was counted.
  Deadline::Clock::time_point began;
  ExchangeWatch* next = nullptr;
  ExchangeWatch* previous = nullptr;
};

// What the wire tells the side that serves an exchange. Called on the exchange's loop, never from
// inside a call of the exchange.
class ExchangeEvents {
 public:
  virtual ~ExchangeEvents() = default;
  // body() gives something again, or the body has ended or failed. Told once after each time that
  // the body had run dry.
  virtual void on_body_ready() {}
  // A write may go on after it was told to wait.
  virtual void on_writable() {}
  // The client went away, or broke the protocol and got its answer from the wire: whatever is
  // written from now on is dropped. Told at most once. The exchange is still to be released.
  virtual void on_gone() {}
};

enum class BodyState : std::uint8_t {
  kMore,    // more may come
  kEnd,     // complete; trailers are there
  kFailed,  // no more comes: the client is gone or broke the protocol
};

// One request and its response, whatever the HTTP version.
//
// Owned by the serving side through Ptr; it lives, with everything borrowed from it, until that is
// dropped, also when the client is long gone. On its loop's thread only. It may be answered inside
// HttpHandler::handle or any time later: what is written within one turn of the loop leaves in one
// piece.
class HttpExchange {
 public:
  // Dropping an exchange that was not finished answers 500 when no response was begun, and
  // otherwise breaks the connection off, so that the client sees the response is not whole.
  struct Release {
    void operator()(HttpExchange* exchange) const { exchange->release(); }
  };
  using Ptr = std::unique_ptr<HttpExchange, Release>;

  virtual Loop& loop() = 0;
  virtual const RequestHead& request() const = 0;
  // Address and port of the client: "127.0.0.1:4711".
  virtual std::string_view peer() = 0;
  // Address and port that the client reached: what a request without a Host is for.
  virtual std::string local() { return "localhost"; }
  // Whether it came over TLS.
  virtual bool secure() const { return false; }

  // Who is told; null for nobody. Not owned; outlives the exchange or is taken out first.
  void listen(ExchangeEvents* events) { events_ = events; }
  bool gone() const { return gone_; }

  // The request's body. The socket is read only while less than kBodyBuffer waits here.
  //
  // What is there now, borrowed until the next call of the exchange. Empty: see body_state.
  virtual BytesView body() = 0;
  // Drops the first `count` bytes of what body() gave.
  virtual void consume_body(std::size_t count) = 0;
  virtual BodyState body_state() = 0;
  // Trailers, once the state is kEnd.
  virtual std::span<const Header> request_trailers() const = 0;
  // Copies what is there and consumes it; 0 when there is nothing now.
  std::size_t read_body(std::span<std::uint8_t> into);

  // The response. Status 200 to 599; hop-by-hop headers are dropped, Date and the framing are
  // added. Without a length here or in the headers, it is chunked, or counted when it is finished
  // within the turn. kInvalid for a status, name or value that cannot go on the wire: nothing has
  // begun then.
  virtual Result<void> begin_response(int status, std::span<const Header> headers,
                                      std::optional<std::uint64_t> content_length) = 0;
  // Takes all of `bytes`. False: kWriteBuffer or more waits for the client now; go on at
  // on_writable. Bytes beyond the announced length break the connection off.
  virtual bool write(BytesView bytes) = 0;
  // How much more may be written before write says false. 0: go on at on_writable.
  virtual std::size_t writable() = 0;
  // The response is whole. One that is shorter than announced breaks the connection off.
  virtual void finish() = 0;
  // The same with trailers, which are dropped where the framing has no place for them.
  virtual void finish_with_trailers(std::span<const Header> trailers) = 0;
  // Breaks the connection (HTTP/2: the stream) off.
  virtual void abort() = 0;

  // The serving side's own number for it, for the summary.
  std::uint64_t id = 0;
  // Who gets the summary; null for the handler that was given the exchange. Not owned; outlives the
  // exchange's completion.
  ExchangeObserver* completes_to = nullptr;
  ExchangeWatch watch;

 protected:
  virtual ~HttpExchange() = default;
  virtual void release() = 0;

  ExchangeEvents* events_ = nullptr;
  bool gone_ = false;
};

// What an exchange came to, once both sides are done with it: an access log line.
struct ExchangeSummary {
  enum class End : std::uint8_t {
    kWhole,   // the response went out complete
    kBroken,  // we broke it off
    kGone,    // the client went away before it was complete
  };

  const RequestHead& request;
  std::string_view peer;
  std::uint64_t id;
  int status;  // 0 when no response was begun.
  End end;
  std::uint64_t bytes_in;                 // Body bytes that came, without framing.
  std::uint64_t bytes_out;                // Body bytes written, without framing.
  std::chrono::nanoseconds time_to_head;  // From the head's last byte to the response's first.
  std::chrono::nanoseconds time;          // From the head's last byte to the release.
  ExchangeWatch* watch = nullptr;         // The exchange's own.

  // Of what the wire answered itself.
  static ExchangeSummary refused(const RequestHead& request, std::string_view peer, int status) {
    return {.request = request,
            .peer = peer,
            .id = 0,
            .status = status,
            .end = End::kWhole,
            .bytes_in = 0,
            .bytes_out = 0,
            .time_to_head = {},
            .time = {}};
  }
};

// Hears how exchanges ended.
class ExchangeObserver {
 public:
  virtual ~ExchangeObserver() = default;
  // Borrowed for the call.
  virtual void on_complete(const ExchangeSummary&) {}
};

// Serves the exchanges of one loop.
class HttpHandler : public ExchangeObserver {
 public:
  virtual void handle(HttpExchange::Ptr exchange) = 0;
  // What the wire answered itself, with no exchange made of it. Borrowed for the call. Of a head
  // that it could not read, the request is empty.
  virtual void on_refused(const ExchangeSummary&) {}
};

}  // namespace weft
