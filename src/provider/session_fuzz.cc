// A session whose provider sends what it likes after a good handshake: calls with and without
// handles and streams are under way, are cancelled and are answered, and nothing of weft's breaks.

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <cstdlib>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"
#include "provider/session.h"

namespace weft::provider {
namespace {

constexpr std::string_view kToken = "token";

Offer offer() {
  return {{.name = "fuzz:it/all",
           .functions = {{"plain", "func(b: list<u8>) -> list<u8>"},
                         {"make", "func() -> list<own<thing>>"},
                         {"use", "func(t: borrow<thing>) -> own<thing>"},
                         {"stream", "func() -> tuple<stream<u8>, stream<string>, future<u8>>"},
                         {"sink", "func() -> own<output-stream>"}}}};
}

// Goes through the socket as a provider's bytes would.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {}
  void put(FrameHead head, BytesView body) {
    head.length = static_cast<std::uint32_t>(body.size());
    std::array<std::uint8_t, kHeadSize> bytes;
    write_head(head, bytes.data());
    put(bytes);
    put(body);
  }
  void put(BytesView bytes) {
    if (!bytes.empty()) static_cast<void>(send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }
  // What weft sent, thrown away but for the ids of its calls.
  std::vector<std::uint32_t> take_calls() {
    std::vector<std::uint32_t> ids;
    std::array<std::uint8_t, 64 * 1024> bytes;
    ssize_t count = recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    for (ssize_t at = 0; at + static_cast<ssize_t>(kHeadSize) <= count;) {
      auto head = read_head(std::span<const std::uint8_t, kHeadSize>(bytes.data() + at, kHeadSize));
      if (!head) break;
      if (head->kind == FrameKind::kCall) ids.push_back(head->id);
      at += static_cast<ssize_t>(kHeadSize + head->length);
    }
    return ids;
  }

 private:
  int socket_;
};

class Fuzz {
 public:
  explicit Fuzz(BytesView input) : input_(input) {
    roster_ = std::make_shared<Roster>("provider", offer());
    auto incarnation = std::make_shared<Incarnation>();
    incarnation->number = 1;
    incarnation->socket = "/nowhere/at/all";
    incarnation->token = kToken;
    incarnation->setup = std::make_shared<const Secret>(std::string("{}"));
    roster_->publish(std::shared_ptr<const Incarnation>(std::move(incarnation)));
    provider_ = std::make_unique<ProcessProvider>(roster_->join(loop_), 0);
    std::array<int, 2> ends{};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
    theirs_ = Fd(ends[1]);
    session().connected(Fd(ends[0]));
    const std::vector<OfferedFunction> functions = offer().front().functions;
    for (std::uint32_t i = 0; i < functions.size(); ++i) {
      links_.push_back(std::make_unique<Link>(
          Function{"fuzz:it/all", functions[i].name, functions[i].signature, i, i == 0},
          *provider_));
    }
  }
  ~Fuzz() {
    for (Call*& call : calls_) release(call);
    Context::retire(std::move(context_));
    links_.clear();
    provider_.reset();
    // A call that was given up keeps what it was lent until the process answers or is gone: a
    // session that nobody else needs lives as long.
    roster_->publish(Absence{Error(Errc::kUnavailable, "it was stopped"), true});
    turn();
    CHECK(pool_.live() == 0);
  }

  void run() {
    Peer peer(theirs_.get());
    peer.put({.kind = FrameKind::kHello, .number = kVersion}, as_bytes(hello_text(kToken)));
    peer.put({.kind = FrameKind::kReady}, as_bytes(ready_text(offer())));
    turn();
    while (!input_.empty()) {
      std::uint8_t what = next();
      if (what < 64) {
        call(what % 5, next());
      } else if (what < 80) {
        release(calls_[what % calls_.size()]);
      } else if (what < 250) {
        // A frame with a good head: kinds, ids of calls and small numbers are worth trying.
        FrameHead head{.kind = static_cast<FrameKind>(1 + what % 13), .number = next() % 3U};
        head.more = head.kind <= FrameKind::kReply && next() % 4 == 0;
        head.id = next();
        if (head.kind == FrameKind::kReply && !ids_.empty()) head.id = ids_[head.id % ids_.size()];
        head.amount = next();
        peer.put(head, take(next()));
      } else {
        peer.put(take(next()));
      }
      turn();
      for (std::uint32_t id : peer.take_calls()) ids_.push_back(id);
    }
  }

 private:
  Session& session() { return provider_->session(); }
  std::uint8_t next() {
    if (input_.empty()) return 0;
    std::uint8_t byte = input_.front();
    input_ = input_.subspan(1);
    return byte;
  }
  BytesView take(std::size_t count) {
    BytesView part = input_.first(std::min(count, input_.size()));
    input_ = input_.subspan(part.size());
    return part;
  }
  void turn() {
    loop_.context().restart();
    loop_.context().poll();
  }
  void call(std::size_t function, std::uint8_t number) {
    Call*& place = calls_[number % calls_.size()];
    release(place);
    arguments_[number % calls_.size()] = function == 2 ? Bytes{number} : Bytes{1, number};
    if (function == 1 || function > 2) arguments_[number % calls_.size()].clear();
    place = pool_.start(*links_[function], *context_, arguments_[number % calls_.size()],
                        Deadline::never());
  }
  void release(Call*& call) {
    if (call == nullptr) return;
    if (call->state() == Call::State::kDone && call->function().ordinal >= 3) take_pipes();
    call->release();
    call = nullptr;
  }
  // What a reply brought on its way is dropped, as a guest that ends drops it.
  void take_pipes() {
    for (std::uint32_t i = 1; i < 64; ++i) context_->pipes().forget(i);
  }

  BytesView input_;
  Loop loop_;
  CallPool pool_;
  std::unique_ptr<Context> context_ = std::make_unique<Context>(loop_, "app", "component");
  std::shared_ptr<Roster> roster_;
  std::unique_ptr<ProcessProvider> provider_;
  Fd theirs_;
  std::vector<std::unique_ptr<Link>> links_;
  std::array<Call*, 8> calls_{};
  std::array<Bytes, 8> arguments_;
  std::vector<std::uint32_t> ids_;
};

}  // namespace
}  // namespace weft::provider

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weft::log::set_level(weft::LogLevel::kOff);
  weft::provider::Fuzz(weft::BytesView(data, size)).run();
  return 0;
}
