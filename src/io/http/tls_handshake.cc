#include "io/http/tls_handshake.h"

#include <utility>

#include "base/log.h"
#include "io/http/connection.h"
#include "io/http/http2_connection.h"
#include "io/http/listener.h"
#include "io/loop.h"

namespace weft {

void TlsHandshake::start(std::shared_ptr<HttpListener> listener, HttpTransport transport) {
  HttpListener& owner = *listener;
  std::shared_ptr<TlsHandshake> made(new TlsHandshake(std::move(listener), std::move(transport)));
  made->self_ = made;
  owner.opened(*made);
  made->timer_.arm(Deadline::after(owner.limits().tls_timeout));
  made->step();
}

TlsHandshake::TlsHandshake(std::shared_ptr<HttpListener> listener, HttpTransport transport)
    : HttpConnection(Admission::kServed),
      listener_(std::move(listener)),
      transport_(std::move(transport)),
      timer_(listener_->loop(), [this] { close(); }) {}

void TlsHandshake::step() {
  switch (transport_.tls->handshake()) {
    case TlsSession::Step::kWantRead: return wait(boost::asio::socket_base::wait_read);
    case TlsSession::Step::kWantWrite: return wait(boost::asio::socket_base::wait_write);
    case TlsSession::Step::kFailed:
      log::debug("tls", "a handshake failed",
                 {{"peer", peer_text(transport_.peer)}, {"reason", transport_.tls->problem()}});
      return close();
    case TlsSession::Step::kDone: break;
  }
  std::shared_ptr<TlsHandshake> keep = std::move(self_);
  timer_.disarm();
  HttpTransport transport = std::move(transport_);
  listener_->closed(*this);
  if (transport.tls->protocol() == "h2") {
    Http2Connection::start(listener_, std::move(transport), {});
  } else {
    Http1Connection::start(listener_, std::move(transport), Admission::kServed);
  }
}

void TlsHandshake::wait(boost::asio::socket_base::wait_type what) {
  transport_.socket.async_wait(what, [self = self_](const boost::system::error_code& error) {
    Loop::Turn turn(self->listener_->loop());
    if (!error && self->self_ != nullptr) self->step();
  });
}

void TlsHandshake::close() {
  std::shared_ptr<TlsHandshake> keep = std::move(self_);
  if (keep == nullptr) return;
  timer_.disarm();
  boost::system::error_code ignored;
  transport_.socket.close(ignored);
  listener_->closed(*this);
  transport_.pass.reset();
}

void TlsHandshake::drain() {
  Deadline due = earlier(timer_.deadline(), Deadline::at(listener_->loop().now() + kLinger));
  timer_.arm(due);
}

void TlsHandshake::shut() {
  close();
}

}  // namespace weft
