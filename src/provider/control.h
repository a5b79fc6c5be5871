#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/secret.h"
#include "provider/frame.h"
#include "provider/handshake.h"

namespace weft::provider {

// The supervisor's own connection to a process: the handshake, and pings. Never waits by itself:
// the supervisor polls the socket.
class Control : private FrameSink {
 public:
  // Fails with kUnavailable while nobody listens there.
  static Result<Fd> connect(const std::string& path);
  Control(Fd socket, std::string token, Secret setup);

  int fd() const { return socket_.get(); }
  bool wants_to_write() const { return !out_.empty(); }
  // What there is to read and to write.
  Result<void> step();
  // What it serves, once it is ready.
  const std::optional<Offer>& offer() const { return offer_; }

  Result<void> ping();
  // The pings that were not answered yet.
  bool waits_for_pong() const { return pinged_ != ponged_; }

 private:
  Result<Buffer*> body_of(const FrameHead& head) override;
  Result<void> frame(const FrameHead& head, BytesView body) override;
  Result<void> hello(const FrameHead& head);
  Result<void> ready(const FrameHead& head);
  void queue(FrameHead head, std::string_view body);
  Result<void> write();

  Fd socket_;
  const std::string token_;
  const Secret setup_;
  FrameReader reader_;
  Buffer body_;
  Buffer out_;
  std::optional<Offer> offer_;
  bool greeted_ = false;
  std::uint32_t pinged_ = 0;
  std::uint32_t ponged_ = 0;
};

}  // namespace weft::provider
