// Shows what a client does about a server that behaves in ways real ones seldom do.
#include "remote/mqtt/client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "base/check.h"
#include "base/fd.h"
#include "io/loop.h"

namespace weft::remote::mqtt {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Greets each client in the same way, and does with what comes then as it is told, on a thread of
// its own.
class FakeServer {
 public:
  struct Behaviour {
    std::string greeting;
    std::string afterwards = {};  // At once behind the greeting.
    std::string often = {};       // Again and again.
    bool ends_on_publish = false;
    std::string answer_to_ping = std::string("\xd0\x00", 2);
  };

  explicit FakeServer(Behaviour behaviour)
      : behaviour_(std::move(behaviour)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    CHECK(::bind(listener_.get(), plain, length) == 0 && ::listen(listener_.get(), 16) == 0);
    CHECK(::getsockname(listener_.get(), plain, &length) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~FakeServer() {
    over_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }
  int pings() const { return pings_; }
  int published() const { return published_; }
  int last_qos() const { return last_qos_; }

 private:
  void serve() {
    while (!over_) {
      Fd client(::accept(listener_.get(), nullptr, nullptr));
      if (client.get() < 0) continue;
      ++connections_;
      talk(client.get());
    }
  }
  void say(int fd, const std::string& bytes) {
    ASSERT_GE(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.empty() ? 0 : -1);
  }
  void talk(int fd) {
    timeval wait{0, 10'000};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    Bytes came;
    while (!over_) {
      std::array<std::uint8_t, 4096> some;
      ssize_t count = ::recv(fd, some.data(), some.size(), 0);
      if (count == 0 || (count < 0 && errno != EAGAIN)) return;
      came.insert(came.end(), some.begin(), some.begin() + std::max<ssize_t>(count, 0));
      for (;;) {
        auto length = packet_length(came);
        if (!length || !*length || **length > came.size()) break;
        int kind = came[0] >> 4;
        int flags = came[0] & 15;
        came.erase(came.begin(), came.begin() + static_cast<std::ptrdiff_t>(**length));
        if (kind == 1) say(fd, behaviour_.greeting + behaviour_.afterwards);
        if (kind == 3) {
          ++published_;
          last_qos_ = flags >> 1 & 3;
          if (behaviour_.ends_on_publish) return;
        }
        if (kind == 12) {
          ++pings_;
          say(fd, behaviour_.answer_to_ping);
        }
      }
      say(fd, behaviour_.often);
    }
  }

  const Behaviour behaviour_;
  Fd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> over_ = false;
  std::atomic<int> connections_ = 0;
  std::atomic<int> pings_ = 0;
  std::atomic<int> published_ = 0;
  std::atomic<int> last_qos_ = -1;
  std::jthread thread_;
};

template <std::size_t N>
std::string raw(const char (&text)[N]) {
  return {text, N - 1};
}

class MqttClient : public ::testing::Test {
 protected:
  void start(FakeServer::Behaviour behaviour) {
    server_.emplace(std::move(behaviour));
    Settings settings;
    settings.endpoint = {"127.0.0.1", server_->port()};
    client_ = std::make_shared<Client>(loop_, std::make_shared<const Settings>(settings),
                                       Session{.client_id = "c"});
  }
  void in_loop(std::move_only_function<void()> work) {
    loop_.post([this, work = std::move(work)]() mutable {
      Loop::Turn turn(loop_);
      work();
    });
  }
  void publish(std::uint8_t qos) {
    in_loop([this, qos] {
      client_->publish({.topic = "t", .qos = qos}, Deadline::after(std::chrono::seconds(20)),
                       [this](Result<void> done) { told_ = std::move(done); });
    });
  }
  template <class Done>
  bool until(Done done, milliseconds time = milliseconds(20'000)) {
    Deadline limit = Deadline::after(time);
    while (!done()) {
      if (limit.passed()) return false;
      loop_.context().restart();
      loop_.context().run_for(milliseconds(5));
    }
    return true;
  }

  Loop loop_;
  std::optional<FakeServer> server_;
  std::shared_ptr<Client> client_;
  std::optional<Result<void>> told_;
};

TEST_F(MqttClient, PingsInTheServersTimeThoughMessagesComeIn) {
  // Its keep-alive is a second.
  start({.greeting = raw("\x20\x06\x00\x00\x03\x13\x00\x01"),
         .often = raw("\x30\x05\x00\x01t\x00x")});
  publish(0);
  EXPECT_TRUE(until([&] { return server_->pings() >= 2; }));
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(MqttClient, PingsWhileTheServerHasToWaitAndTakesWhatIsHeldOnceMore) {
  // Its keep-alive is a second; it sends two messages at once, and says nothing else.
  start({.greeting = raw("\x20\x06\x00\x00\x03\x13\x00\x01"),
         .afterwards = raw("\x32\x07\x00\x01t\x00\x01\x00x\x32\x07\x00\x01t\x00\x02\x00y"),
         .answer_to_ping = ""});
  std::vector<std::uint16_t> came;
  bool room = false;
  in_loop([&] {
    auto take = [&](const Incoming& incoming) {
      came.push_back(incoming.message.id);
      if (!room) client_->hold();
    };
    client_->listen("t", 1, take, [](Result<void>) {});
  });
  // Longer than a server may be silent.
  EXPECT_FALSE(until([&] { return server_->connections() > 1; }, milliseconds(6'000)));
  EXPECT_TRUE(until([&] { return server_->pings() >= 5; }));
  EXPECT_EQ(came, std::vector<std::uint16_t>({1}));
  room = true;
  in_loop([&] { client_->go_on(); });
  EXPECT_TRUE(until([&] { return came.size() == 3; }));
  EXPECT_EQ(came, std::vector<std::uint16_t>({1, 1, 2}));
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(MqttClient, WaitsWhenAnotherOfItsNameHasCome) {
  start({.greeting = raw("\x20\x03\x00\x00\x00"), .afterwards = raw("\xe0\x02\x8e\x00")});
  in_loop([&] { client_->listen("t", 1, [](const Incoming&) {}, [](Result<void>) {}); });
  ASSERT_TRUE(until([&] { return server_->connections() == 1; }));
  EXPECT_FALSE(until([&] { return server_->connections() > 1; }, milliseconds(1'000)));
}

TEST_F(MqttClient, TriesLessAndLessOftenWhereEachConnectionBreaksAfterTheGreeting) {
  start({.greeting = raw("\x20\x03\x00\x00\x00"), .afterwards = raw("\xe0\x02\x8b\x00")});
  in_loop([&] { client_->listen("t", 1, [](const Incoming&) {}, [](Result<void>) {}); });
  EXPECT_FALSE(until([&] { return server_->connections() > 12; }, milliseconds(2'000)));
}

TEST_F(MqttClient, GivesAMessageUpForWhichTheServerBreaksTheConnection) {
  start({.greeting = raw("\x20\x03\x00\x00\x00"), .ends_on_publish = true});
  publish(1);
  ASSERT_TRUE(until([&] { return told_.has_value(); }));
  ASSERT_FALSE(told_->has_value());
  EXPECT_EQ(told_->error().code(), Errc::kUnavailable);
  EXPECT_THAT(told_->error().message(), HasSubstr("times that it was sent"));
  EXPECT_EQ(server_->published(), static_cast<int>(kSendsMax));
}

TEST_F(MqttClient, PublishesWithNoMoreThanTheServerKnows) {
  start({.greeting = raw("\x20\x05\x00\x00\x02\x24\x00")});
  publish(2);
  ASSERT_TRUE(until([&] { return told_.has_value() && server_->published() == 1; }));
  EXPECT_TRUE(told_->has_value());
  EXPECT_EQ(server_->last_qos(), 0);
}

}  // namespace
}  // namespace weft::remote::mqtt
