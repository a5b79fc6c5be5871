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
  // kOpened ones were made by the client and live until curl closes them.
  enum class Origin : std::uint8_t { kOpened, kForeign };

  CurlSocket(HttpClient& client, boost::asio::any_io_executor executor, int fd, Origin origin)
      : client_(&client), fd_(fd), origin_(origin), descriptor_(executor, fd) {}

  Origin origin() const { return origin_; }
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
  const Origin origin_;
  int wanted_ = 0;
  bool reading_ = false;
  bool writing_ = false;
  HandlerMemory read_memory_;
  HandlerMemory write_memory_;
  boost::asio::posix::stream_descriptor descriptor_;
};

}  // namespace weft
