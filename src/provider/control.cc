#include "provider/control.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weft::provider {

constexpr std::size_t kRefusalMax = 4 * 1024;

Result<Fd> Control::connect(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return system_failure("making a socket", errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return failure(Errc::kInvalid, fmt::format("{} is too long for a socket", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    return socket;
  }
  if (errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN) {
    return failure(Errc::kUnavailable, "nobody listens yet");
  }
  return system_failure(fmt::format("connecting to {}", path), errno);
}

Control::Control(Fd socket, std::string token, Secret setup)
    : socket_(std::move(socket)),
      token_(std::move(token)),
      setup_(std::move(setup)),
      reader_(*this) {}

Result<void> Control::step() {
  TRY_VOID(write());
  // Some rounds, so that who sends without an end keeps nobody from watching.
  for (int round = 0; round < 16; ++round) {
    std::array<iovec, 2> room = reader_.room();
    ssize_t count = readv(socket_.get(), room.data(), room.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (count < 0) return system_failure("reading", errno);
    if (count == 0) return failure(Errc::kUnavailable, "it closed the connection");
    TRY_VOID(reader_.took(static_cast<std::size_t>(count)));
  }
  return {};
}

Result<void> Control::write() {
  while (!out_.empty()) {
    ssize_t count = send(socket_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (count < 0) return system_failure("writing", errno);
    auto sent = static_cast<std::size_t>(count);
    std::memmove(out_.data(), out_.data() + sent, out_.size() - sent);
    out_.resize_down(out_.size() - sent);
  }
  return {};
}

void Control::queue(FrameHead head, std::string_view body) {
  do {
    std::string_view piece = body.substr(0, kBodyMax);
    body.remove_prefix(piece.size());
    head.length = static_cast<std::uint32_t>(piece.size());
    head.more = !body.empty();
    write_head(head, out_.reserve(kHeadSize));
    out_.advance(kHeadSize);
    out_.append(piece);
    head.number = 0;
  } while (!body.empty());
}

Result<void> Control::ping() {
  queue({.kind = FrameKind::kPing, .number = ++pinged_}, {});
  return write();
}

Result<Buffer*> Control::body_of(const FrameHead& head) {
  bool known = head.kind == FrameKind::kHello || head.kind == FrameKind::kReady ||
               head.kind == FrameKind::kPong;
  if (!known) {
    return failure(Errc::kCorrupt, fmt::format("it sent a frame of kind {} where none was due",
                                               static_cast<unsigned>(head.kind)));
  }
  if (body_.size() + head.length > kHandshakeMax) {
    return failure(Errc::kLimit, "its first messages are too long");
  }
  return &body_;
}

Result<void> Control::frame(const FrameHead& head, BytesView) {
  if (head.more) return {};
  Result<void> taken;
  if (head.kind == FrameKind::kPong) {
    if (!waits_for_pong() || head.number != pinged_) {
      return failure(Errc::kCorrupt, "a pong without a ping");
    }
    ponged_ = pinged_;
  } else {
    taken = head.kind == FrameKind::kHello ? hello(head) : ready(head);
  }
  body_.clear();
  return taken;
}

Result<void> Control::hello(const FrameHead& head) {
  if (head.number != kVersion) {
    return failure(
        Errc::kUnsupported,
        fmt::format("it speaks version {} of the provider protocol, and this weft speaks "
                    "version {}: build it with the SDK of this weft",
                    head.number, kVersion));
  }
  if (std::exchange(greeted_, true)) return failure(Errc::kCorrupt, "it said hello twice");
  TRY(std::string token, token_of_hello(body_.text()));
  if (token != token_) {
    return failure(
        Errc::kDenied,
        fmt::format("its hello has another token than {} in its environment", kTokenVariable));
  }
  queue({.kind = FrameKind::kSetup, .number = kVersion}, setup_.reveal());
  return write();
}

Result<void> Control::ready(const FrameHead& head) {
  if (!greeted_ || offer_) return failure(Errc::kCorrupt, "it said ready when it was not asked");
  if (head.number != 0) {
    return failure(Errc::kUnavailable,
                   fmt::format("it refuses: {}", body_.text().substr(0, kRefusalMax)));
  }
  TRY(offer_, read_ready(body_.text()));
  return {};
}

}  // namespace weft::provider
