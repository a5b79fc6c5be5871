#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>

#include "io/handler_memory.h"

namespace weft {

class HttpClient;

// A socket that curl waits for, registered with the loop. Shared, because the handlers of waits
// that were cancelled still run after curl closed it.
class CurlSocket : public std::enable_shared_from_this<CurlSocket> {
 public:
  CurlSocket(HttpClient& client, boost::asio::any_io_executor executor, int fd)
      : client_(&client), fd_(fd), descriptor_(executor, fd) {}

  // A connection that is established stays registered until curl closes it. Before that, and
  // always with the resolver's, curl may close a socket as soon as it watches it no more.
  void keep() { kept_ = true; }
  bool kept() const { return kept_; }
  // What curl wants to hear of: CURL_POLL_IN, CURL_POLL_OUT, both or CURL_POLL_NONE.
  void want(int events);
  // Lets go of the descriptor, without closing it.
  void release();

 private:
  struct OnReady;
  void start_waits();
  void ready(bool readable, bool failed);

  HttpClient* client_;  // Null once released.
  const int fd_;
  int wanted_ = 0;
  bool kept_ = false;
  bool reading_ = false;
  bool writing_ = false;
  HandlerMemory read_memory_;
  HandlerMemory write_memory_;
  boost::asio::posix::stream_descriptor descriptor_;
};

}  // namespace weft
