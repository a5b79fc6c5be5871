#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <memory>

#include "base/buffer.h"
#include "io/handler_memory.h"
#include "io/http/tls.h"
#include "io/timer.h"
#include "remote/endpoint.h"

namespace weft {
class Loop;
}

namespace weft::remote {

// From the look-up of the name to the end of the TLS handshake.
inline constexpr std::chrono::seconds kConnectTimeout{5};

// Whom a connection tells what happens, always from a handler of the loop.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // Bytes may be sent. Once, and once more when `begin_tls` has ended well.
  virtual void connected() = 0;
  // What has come and was not used up before. Says how much of it is used up now.
  virtual Result<std::size_t> received(BytesView bytes) = 0;
  // It could not be made, has ended, or `received` failed. Once, and nothing after it.
  virtual void broken(Error error) = 0;
};

// One TCP connection of a loop to a server, with or without TLS.
//
// Held by its owner and, shared, by the operations of asio that are under way. On its loop's
// thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // Beyond this the server is not keeping up.
  static constexpr std::size_t kQueueHigh = 4UL * 1024 * 1024;
  // What is read in one turn, so that one connection does not keep its loop.
  static constexpr std::size_t kReadMax = 1024UL * 1024;

  // Begins to connect. `owner` hears of it later, never inside this call.
  static std::shared_ptr<Connection> open(Loop& loop, Endpoint endpoint, ConnectionOwner& owner);
  Connection(Loop& loop, Endpoint endpoint, ConnectionOwner& owner);
  Connection(const Connection&) = delete;

  // What is appended here leaves, in order, at the end of the batch of handlers after `flush`.
  Buffer& out() { return out_; }
  void flush();
  bool congested() const { return out_.size() - out_at_ > kQueueHigh; }
  // Bytes that the server's side has not taken yet, as far as can be seen from here. While they get
  // fewer, it is slow and not gone.
  std::size_t unsent();
  // Speaks TLS from here on, on an open connection that is plain: for protocols that begin without
  // it. Nothing is queued, and what came is all used up when `received`, in which this may be
  // called, returns: what came before TLS counts for nothing then, and the connection breaks.
  void begin_tls(std::shared_ptr<const TlsClient> tls);
  // Reads nothing more until `resume`, so that the server has to wait: no more is held meanwhile
  // than was read already. What `received` did not use up comes again then. An end of the
  // connection is seen only when something is sent.
  void pause() { paused_ = true; }
  // Goes on later, never inside this call.
  void resume();
  // Ends it. The owner is told nothing any more, and what is queued does not leave.
  void close();

 private:
  using Tcp = boost::asio::ip::tcp;
  using Socket = boost::asio::basic_stream_socket<Tcp, boost::asio::io_context::executor_type>;
  enum class State : std::uint8_t { kConnecting, kHandshake, kOpen, kClosed };
  struct OnReady;

  void look_up();
  void connect(const Tcp::resolver::results_type& found);
  void handshake();
  void ready();
  void wait(Socket::wait_type what);
  void on_readable();
  void read();
  void on_writable();
  void write();
  bool read_once(std::size_t* total);
  // Gives the owner what is there, from `in_at_`. False: the connection is no more.
  bool hand_over();
  void fail(Error error);

  Loop& loop_;
  Endpoint endpoint_;
  ConnectionOwner* owner_;  // Null once closed.
  State state_ = State::kConnecting;
  Tcp::resolver resolver_;
  Socket socket_;
  std::unique_ptr<TlsSession> tls_;
  Timer timer_;  // For connecting.
  HandlerMemory read_memory_;
  HandlerMemory write_memory_;
  Buffer in_;
  std::size_t in_at_ = 0;
  Buffer out_;
  std::size_t out_at_ = 0;
  bool scheduled_ = false;
  bool blocked_ = false;  // The socket takes nothing more now.
  bool paused_ = false;
  bool resuming_ = false;  // It goes on at the end of this batch.
  bool reading_ = false;   // Somebody waits for the socket to be readable, or reads.
};

}  // namespace weft::remote
