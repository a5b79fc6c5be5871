#include "io/http_client/socket.h"

#include <curl/curl.h>

#include "io/http_client/http_client.h"
#include "io/loop.h"

namespace weft {

struct CurlSocket::OnReady {
  std::shared_ptr<CurlSocket> self;
  bool readable;
  using allocator_type = HandlerAllocator<char>;

  allocator_type get_allocator() const {
    return allocator_type(readable ? self->read_memory_ : self->write_memory_);
  }
  void operator()(const boost::system::error_code& error) {
    self->ready(readable, static_cast<bool>(error));
  }
};

void CurlSocket::want(int events) {
  wanted_ = events == CURL_POLL_REMOVE ? CURL_POLL_NONE : events;
  start_waits();
}

void CurlSocket::release() {
  client_ = nullptr;
  descriptor_.release();
}

void CurlSocket::start_waits() {
  using boost::asio::posix::descriptor_base;
  if ((wanted_ & CURL_POLL_IN) != 0 && !reading_) {
    reading_ = true;
    descriptor_.async_wait(descriptor_base::wait_read, OnReady{shared_from_this(), true});
  }
  if ((wanted_ & CURL_POLL_OUT) != 0 && !writing_) {
    writing_ = true;
    descriptor_.async_wait(descriptor_base::wait_write, OnReady{shared_from_this(), false});
  }
}

void CurlSocket::ready(bool readable, bool failed) {
  (readable ? reading_ : writing_) = false;
  if (client_ == nullptr) return;
  Loop::Turn turn(client_->loop());
  // A wait that outlived curl's interest says nothing to it.
  bool wanted = (wanted_ & (readable ? CURL_POLL_IN : CURL_POLL_OUT)) != 0;
  if (!wanted) return;
  int event = failed ? CURL_CSELECT_ERR : readable ? CURL_CSELECT_IN : CURL_CSELECT_OUT;
  client_->act(fd_, event);
  // curl tells of changes only: what it still wants is waited for again.
  if (client_ != nullptr && !failed) start_waits();
}

}  // namespace weft
