// The process that the tests of providers start. Its first word says how it behaves:
//   serve        everything_host.h, and what Special below adds
//   refuse       says why it does not start
//   exit         ends with 3 after a line
//   silent       never listens
//   version      speaks version 9
//   token        says another token
//   garbage      answers the setup with bytes that are no frame
//   flood        is ready, and then sends pongs without an end
//   liar         is ready, and answers calls that nobody made
//   replies      is ready, and answers each call with a reply without an end
//   changing     serves one function more each time that it starts

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "provider/frame.h"
#include "provider/handshake.h"
#include "toolchain/everything_host.h"
#include "weft/provider.h"

namespace weft {
namespace {

namespace everything = wit::test::everything_1_2_0_rc_1::everything;
using provider::FrameHead;
using provider::FrameKind;

class Special : public testing::Host {
 public:
  Special(provider::Setup& setup, int& alive)
      : testing::Host(alive), setup_(setup), alive_(alive) {}

  // What the tests ask for by a text.
  Answer<std::string> fail(Call& call, std::string_view what) override {
    if (what == "crash") abort();
    if (what == "kill") kill(getpid(), SIGKILL);
    if (what == "exit") _exit(7);
    if (what == "hang") pause();
    if (what == "deaf") signal(SIGTERM, SIG_IGN);
    if (what == "pid") return std::to_string(getpid());
    if (what == "alive") return std::to_string(alive_);
    if (what == "stopped") return std::to_string(stopped_);
    if (what == "configuration") return setup_.configuration();
    if (what == "greeting") return setup_.text("greeting").value_or("none");
    if (what == "secret") return std::string(setup_.secret("key")->reveal());
    if (what == "environment") {
      std::string all;
      for (char** each = environ; *each != nullptr; ++each) all += std::string(*each) + "\n";
      return all;
    }
    if (what == "print") {
      std::puts("a line for the log");
      std::fflush(stdout);
      return "printed";
    }
    if (what == "pool") return pooled();
    if (what == "never") return never(call);
    if (what == "deadline") {
      return std::to_string(
          std::chrono::ceil<std::chrono::seconds>(call.deadline().when() - Deadline::Clock::now())
              .count());
    }
    return testing::Host::fail(call, what);
  }

 private:
  // Computes on a thread of the pool; the promise travels there and back.
  Answer<std::string> pooled() {
    Promise<std::string> promise;
    Answer<std::string> answer = promise.answer();
    auto result = std::make_shared<std::string>();
    Result<void> accepted = setup_.pool().submit(
        setup_.loop(),
        [result] {
          *result = Loop::current() == nullptr ? "from another thread" : "from the loop";
        },
        [result, promise = std::move(promise)]() mutable {
          std::move(promise).fulfil(std::move(*result));
        });
    if (!accepted) return std::move(accepted).error();
    return answer;
  }

  // Waits for what never comes, and counts when it is told to stop.
  Task<std::string> never(Call& call) {
    auto [reader, writer] = InputPipe::make(call.context().loop());
    Result<Bytes> read = co_await reader.read(1, Deadline::never());
    if (!read && read.error().code() == Errc::kCancelled) ++stopped_;
    co_return "never";
  }

  provider::Setup& setup_;
  int& alive_;
  int stopped_ = 0;
};

int alive = 0;

int serve(int argc, char** argv, bool refuse) {
  return provider::serve(argc, argv, [&](provider::Setup& setup) -> Result<provider::Interfaces> {
    if (refuse) return failure(Errc::kInvalid, "no \"url\" in its configuration");
    provider::Interfaces served;
    served.add<everything::Binding>(everything::kName, everything::kFunctions,
                                    std::make_unique<Special>(setup, alive));
    return served;
  });
}

// A provider by hand, on one connection at a time.
class ByHand {
 public:
  explicit ByHand(std::string how) : how_(std::move(how)) {
    const char* path = std::getenv(provider::kSocketVariable);
    listener_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        listen(listener_, 16) != 0) {
      std::perror("listening");
      _exit(1);
    }
  }

  [[noreturn]] void run() {
    for (;;) {
      int each = accept(listener_, nullptr, nullptr);
      std::thread([this, each] { serve(each); }).detach();
    }
  }

 private:
  static void put(int to, FrameHead head, std::string_view body = {}) {
    head.length = static_cast<std::uint32_t>(body.size());
    std::string bytes(provider::kHeadSize, '\0');
    provider::write_head(head, reinterpret_cast<std::uint8_t*>(bytes.data()));
    bytes += body;
    while (!bytes.empty()) {
      ssize_t count = send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes.erase(0, static_cast<std::size_t>(count));
    }
  }
  static bool get(int from, FrameHead& head, std::string& body) {
    std::array<std::uint8_t, provider::kHeadSize> bytes;
    if (recv(from, bytes.data(), bytes.size(), MSG_WAITALL) != ssize_t{provider::kHeadSize}) {
      return false;
    }
    auto read = provider::read_head(bytes);
    if (!read) return false;
    head = *read;
    body.resize(head.length);
    return body.empty() ||
           recv(from, body.data(), body.size(), MSG_WAITALL) == static_cast<ssize_t>(body.size());
  }

  std::string ready() const {
    provider::Offer offer{
        {.name = "test:hand/made@1.0.0", .functions = {{"echo", "func(b: list<u8>) -> list<u8>"}}}};
    if (how_ == "changing") {
      offer[0].functions.push_back({"f" + std::to_string(getpid()), "func()"});
    }
    return provider::ready_text(offer);
  }

  void serve(int socket) {
    std::string token = std::getenv(provider::kTokenVariable);
    if (how_ == "token") token = "another";
    put(socket, {.kind = FrameKind::kHello, .number = how_ == "version" ? 9U : 1U},
        provider::hello_text(token));
    FrameHead head;
    std::string body;
    while (get(socket, head, body)) {
      switch (head.kind) {
        case FrameKind::kSetup:
          if (how_ == "garbage") {
            std::string noise(1000, 'x');
            static_cast<void>(send(socket, noise.data(), noise.size(), MSG_NOSIGNAL));
            break;
          }
          put(socket, {.kind = FrameKind::kReady}, ready());
          if (how_ == "flood") {
            std::string pongs(provider::kHeadSize * 1000, '\0');
            for (std::size_t at = 0; at < pongs.size(); at += provider::kHeadSize) {
              provider::write_head({.kind = FrameKind::kPong},
                                   reinterpret_cast<std::uint8_t*>(pongs.data() + at));
            }
            while (send(socket, pongs.data(), pongs.size(), MSG_NOSIGNAL) > 0) continue;
          }
          break;
        case FrameKind::kPing:
          put(socket, {.kind = FrameKind::kPong, .number = head.number});
          break;
        case FrameKind::kCall:
          if (how_ == "liar") {
            put(socket, {.kind = FrameKind::kReply, .id = head.id + 1});
          } else if (how_ == "replies") {
            std::string piece(provider::kBodyMax, 'x');
            for (;;) put(socket, {.kind = FrameKind::kReply, .id = head.id, .more = true}, piece);
          } else {
            put(socket, {.kind = FrameKind::kReply, .id = head.id}, body);
          }
          break;
        default: break;
      }
    }
    close(socket);
  }

  const std::string how_;
  int listener_;
};

}  // namespace
}  // namespace weft

int main(int argc, char** argv) {
  std::string how = argc > 1 ? argv[1] : "serve";
  if (how == "serve" || how == "refuse") return weft::serve(argc, argv, how == "refuse");
  if (how == "exit") {
    std::puts("the model file is missing");
    return 3;
  }
  if (how == "silent") {
    for (;;) pause();
  }
  weft::ByHand(how).run();
}
