// Shows what a client does about a server that behaves in ways real ones seldom do.
#include "remote/amqp/client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/fd.h"
#include "io/http/tls_client.h"
#include "io/http/tls_test_support.h"
#include "io/loop.h"
#include "remote/amqp/publisher.h"
#include "remote/amqp/testing.h"

namespace weft::remote::amqp {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

void method(
    Buffer& out, Number channel, std::uint16_t of_class, std::uint16_t number,
    const std::function<void(Buffer&)>& arguments = [](Buffer&) {}) {
  FrameOut frame(out, Frame::Kind::kMethod, channel);
  put_two(out, of_class);
  put_two(out, number);
  arguments(out);
}

// Lets everybody in and does with what is published as it is told, on a thread of its own.
class FakeServer {
 public:
  enum class OnPublish : std::uint8_t { kNothing, kAck, kAckAll, kNack, kClosesChannel };
  struct Behaviour {
    OnPublish on_publish = OnPublish::kAck;
    int ack_all_at = 1;       // With kAckAll: how many are confirmed together.
    bool heartbeats = false;  // Each 100 ms.
    std::uint16_t heartbeat = 60;
    bool blocked = false;      // At once, until `unblock`.
    bool large = false;        // A message beyond the bound, and one behind it, to who consumes.
    std::string garbage = {};  // Behind the greeting.
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
  int heartbeats() const { return heartbeats_; }
  int published() const { return published_; }
  void unblock() { unblock_ = true; }
  void acknowledge_late() { late_ack_ = true; }

 private:
  void serve() {
    while (!over_) {
      Fd client(::accept(listener_.get(), nullptr, nullptr));
      if (client.get() < 0) continue;
      ++connections_;
      talk(client.get());
    }
  }
  static bool say(int fd, const Buffer& bytes) {
    BytesView rest = bytes.view();
    while (!rest.empty()) {
      ssize_t count = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count < 0) return false;
      rest = rest.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }
  void ack(Buffer& out, std::uint64_t tag, std::uint16_t number, std::uint8_t bits) {
    method(out, channel_, 60, number, [&](Buffer& to) {
      put_eight(to, tag);
      put(to, bits);
    });
  }
  void deliver(Buffer& out, std::uint64_t tag, std::size_t size) {
    method(out, channel_, 60, 60, [&](Buffer& to) {
      put_short(to, "c");
      put_eight(to, tag);
      put(to, 0);
      put_short(to, "e");
      put_short(to, "k");
    });
    {
      FrameOut frame(out, Frame::Kind::kHeader, channel_);
      put_four(out, 60 << 16);
      put_eight(out, size);
      put_two(out, 0);
    }
    Bytes piece(kFrameBytesMax - kFrameAround, 'x');
    while (size > 0) {
      std::size_t part = std::min(size, piece.size());
      write_frame(out, {Frame::Kind::kBody, channel_, BytesView(piece).first(part)});
      size -= part;
    }
  }
  void published(Buffer& out) {
    ++published_;
    ++tag_;
    switch (behaviour_.on_publish) {
      case OnPublish::kNothing: break;
      case OnPublish::kAck: ack(out, tag_, 80, 0); break;
      case OnPublish::kAckAll:
        if (tag_ == static_cast<std::uint64_t>(behaviour_.ack_all_at)) ack(out, tag_, 80, 1);
        break;
      case OnPublish::kNack: ack(out, tag_, 120, 0); break;
      case OnPublish::kClosesChannel:
        method(out, channel_, 20, 40, [](Buffer& to) {
          put_two(to, 541);
          put_short(to, "INTERNAL_ERROR");
          put_four(to, 0);
        });
    }
  }
  void answer(const Frame& frame, Buffer& out) {
    if (frame.kind == Frame::Kind::kHeartbeat) ++heartbeats_;
    if (frame.kind != Frame::Kind::kMethod) return;
    In in(frame.payload);
    switch (in.four()) {
      case method_id(10, 11):
        method(out, 0, 10, 30, [&](Buffer& to) {
          put_two(to, 10);
          put_four(to, 0);
          put_two(to, behaviour_.heartbeat);
        });
        break;
      case method_id(10, 40):
        method(out, 0, 10, 41, [](Buffer& to) { put_short(to, ""); });
        if (behaviour_.blocked) {
          method(out, 0, 10, 60, [](Buffer& to) { put_short(to, "low on memory"); });
        }
        break;
      case method_id(20, 10):
        channel_ = frame.channel;
        tag_ = 0;
        method(out, channel_, 20, 11, [](Buffer& to) { put_long(to, ""); });
        break;
      case method_id(20, 40): method(out, frame.channel, 20, 41); break;
      case method_id(60, 20):
        method(out, channel_, 60, 21, [](Buffer& to) { put_short(to, "c"); });
        if (behaviour_.large) {
          deliver(out, 1, kBodyBytesMax + 1);
          deliver(out, 2, 3);
        }
        break;
      case method_id(85, 10): method(out, channel_, 85, 11); break;
      case method_id(60, 40): published(out); break;
      default: break;
    }
  }
  void talk(int fd) {
    timeval wait{0, 10'000};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    Bytes came;
    bool greeted = false;
    auto beat = Deadline::after(milliseconds(100));
    while (!over_) {
      std::array<std::uint8_t, 4096> some;
      ssize_t count = ::recv(fd, some.data(), some.size(), 0);
      if (count == 0 || (count < 0 && errno != EAGAIN)) return;
      came.insert(came.end(), some.begin(), some.begin() + std::max<ssize_t>(count, 0));
      Buffer out;
      if (!greeted && came.size() >= 8) {
        greeted = true;
        came.erase(came.begin(), came.begin() + 8);
        method(out, 0, 10, 10, [](Buffer& to) {
          put_two(to, 9);
          put_table(to, {});
          put_long(to, "AMQPLAIN PLAIN");
          put_long(to, "en_US");
        });
        out.append(behaviour_.garbage);
      }
      while (greeted) {
        auto length = frame_length(came);
        if (!length || !*length || **length > came.size()) break;
        answer(*read_frame(BytesView(came).first(**length)), out);
        came.erase(came.begin(), came.begin() + static_cast<std::ptrdiff_t>(**length));
      }
      if (unblock_.exchange(false)) method(out, 0, 10, 61);
      if (late_ack_.exchange(false)) ack(out, tag_, 80, 0);
      if (behaviour_.heartbeats && beat.passed()) {
        write_heartbeat(out);
        beat = Deadline::after(milliseconds(100));
      }
      if (!say(fd, out)) return;
    }
  }

  const Behaviour behaviour_;
  Fd listener_;
  std::uint16_t port_ = 0;
  Number channel_ = 0;
  std::uint64_t tag_ = 0;
  std::atomic<bool> over_ = false;
  std::atomic<bool> unblock_ = false;
  std::atomic<bool> late_ack_ = false;
  std::atomic<int> connections_ = 0;
  std::atomic<int> heartbeats_ = 0;
  std::atomic<int> published_ = 0;
  std::jthread thread_;
};

using OnPublish = FakeServer::OnPublish;

class AmqpClient : public ::testing::Test {
 protected:
  ~AmqpClient() override { publisher_.reset(); }

  void start(FakeServer::Behaviour behaviour) {
    server_.emplace(std::move(behaviour));
    Settings settings;
    settings.endpoint = {"127.0.0.1", server_->port()};
    settings.silence = kSilenceMin;
    client_ = std::make_shared<Client>(loop_, std::make_shared<const Settings>(settings), "test");
    publisher_.emplace(client_, [](Channel&) {}, [](const Incoming&) {});
  }
  void in_loop(std::move_only_function<void()> work) {
    loop_.post([this, work = std::move(work)]() mutable {
      Loop::Turn turn(loop_);
      work();
    });
  }
  void publish(milliseconds time = milliseconds(20'000)) {
    in_loop([this, time] {
      publisher_->publish({.exchange = "e", .routing_key = "k"}, Deadline::after(time),
                          [this](Result<Routed> done) { told_.push_back(std::move(done)); });
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
  std::optional<Publisher> publisher_;
  std::vector<Result<Routed>> told_;
};

TEST_F(AmqpClient, OneConfirmAnswersAllThatWerePublishedBefore) {
  start({.on_publish = OnPublish::kAckAll, .ack_all_at = 3});
  for (int i = 0; i < 3; ++i) publish();
  ASSERT_TRUE(until([&] { return told_.size() == 3; }));
  for (const auto& each : told_) EXPECT_TRUE(each.has_value());
}

TEST_F(AmqpClient, ARefusalIsToldAsSuch) {
  start({.on_publish = OnPublish::kNack});
  publish();
  ASSERT_TRUE(until([&] { return told_.size() == 1; }));
  ASSERT_FALSE(told_[0].has_value());
  EXPECT_EQ(told_[0].error().code(), Errc::kFull);
}

TEST_F(AmqpClient, GivesAMessageUpForWhichTheServerClosesTheChannel) {
  start({.on_publish = OnPublish::kClosesChannel, .heartbeats = true});
  publish();
  ASSERT_TRUE(until([&] { return !told_.empty(); }));
  ASSERT_FALSE(told_[0].has_value());
  EXPECT_THAT(told_[0].error().message(), HasSubstr("times that it was sent"));
  EXPECT_THAT(told_[0].error().message(), HasSubstr("INTERNAL_ERROR"));
  EXPECT_EQ(server_->published(), static_cast<int>(kSendsMax));
  EXPECT_EQ(server_->connections(), 1) << "the connection is well";
}

TEST_F(AmqpClient, GivesASilentServerUpAndSendsAgain) {
  start({.on_publish = OnPublish::kNothing});
  publish();
  EXPECT_TRUE(until([&] { return server_->connections() >= 2 && server_->published() >= 2; }));
  EXPECT_TRUE(told_.empty());
}

TEST_F(AmqpClient, WaitsForASlowServerThatIsHeard) {
  start({.on_publish = OnPublish::kNothing, .heartbeats = true});
  publish();
  ASSERT_TRUE(until([&] { return server_->published() == 1; }));
  EXPECT_FALSE(until([&] { return server_->connections() > 1; }, 2 * kSilenceMin));
  server_->acknowledge_late();
  ASSERT_TRUE(until([&] { return told_.size() == 1; }));
  EXPECT_TRUE(told_[0].has_value());
}

TEST_F(AmqpClient, IsHeardByAServerThatWantsHeartbeats) {
  start({.heartbeats = true, .heartbeat = 1});
  publish();
  EXPECT_TRUE(until([&] { return server_->heartbeats() >= 3; }));
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(AmqpClient, GivesAServerWithoutHeartbeatsUpThatOwesNothing) {
  start({.heartbeat = 1});
  publish();
  ASSERT_TRUE(until([&] { return told_.size() == 1; }));
  EXPECT_TRUE(until([&] { return server_->connections() >= 2; }));
}

TEST_F(AmqpClient, SendsNothingToAServerThatIsLowOnMemory) {
  start({.heartbeats = true, .blocked = true});
  publish(milliseconds(300));
  ASSERT_TRUE(until([&] { return told_.size() == 1; }));
  EXPECT_FALSE(told_[0].has_value());
  until([] { return false; }, kPatience);
  publish();
  ASSERT_TRUE(until([&] { return told_.size() == 2; }, milliseconds(5'000)));
  ASSERT_FALSE(told_[1].has_value());
  EXPECT_EQ(told_[1].error().code(), Errc::kUnavailable);
  EXPECT_THAT(told_[1].error().message(), HasSubstr("low on memory"));
  EXPECT_EQ(server_->published(), 0);
  server_->unblock();
  ASSERT_TRUE(until([&] {
    publish();
    until([] { return false; }, milliseconds(20));
    return told_.back().has_value();
  }));
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(AmqpClient, TriesLessAndLessOftenWhereAServerSendsWhatIsNoAmqp) {
  start({.garbage = "HTTP/1.1 400 Bad Request\r\n"});
  publish(milliseconds(2'500));
  EXPECT_FALSE(until([&] { return server_->connections() > 15; }, milliseconds(2'000)));
  EXPECT_GT(server_->connections(), 1);
}

TEST_F(AmqpClient, AMessageBeyondTheBoundIsMarkedAndTheNextComes) {
  struct Consumer final : ChannelOwner {
    std::shared_ptr<Channel> channel;
    std::vector<Incoming> all;
    void opened() override {
      channel->consume({.queue = "q", .consumer = "c"}, [](const Result<Method>&) {});
    }
    void closed(const Error&) override {}
    void came(Incoming message) override { all.push_back(std::move(message)); }
  } consumer;
  start({.heartbeats = true, .large = true});
  in_loop([&] { consumer.channel = client_->channel(consumer); });
  ASSERT_TRUE(until([&] { return consumer.all.size() == 2; }));
  EXPECT_TRUE(consumer.all[0].too_large);
  EXPECT_TRUE(consumer.all[0].body.empty());
  EXPECT_FALSE(consumer.all[1].too_large);
  EXPECT_EQ(consumer.all[1].body.size(), 3U);
  consumer.channel->let_go();
}

TEST_F(AmqpClient, WhatAmqpHasNoRoomForIsRefusedAtOnce) {
  start({});
  in_loop([this] {
    Publish message{.exchange = "e", .routing_key = std::string(256, 'k')};
    publisher_->publish(message, Deadline::after(std::chrono::seconds(5)),
                        [this](Result<Routed> done) { told_.push_back(std::move(done)); });
    message.routing_key = "k";
    message.properties.headers = {{"h", {std::string(200'000, 'x')}}};
    publisher_->publish(message, Deadline::after(std::chrono::seconds(5)),
                        [this](Result<Routed> done) { told_.push_back(std::move(done)); });
  });
  ASSERT_TRUE(until([&] { return told_.size() == 2; }));
  for (const auto& each : told_) EXPECT_EQ(each.error().code(), Errc::kInvalid);
  EXPECT_EQ(server_->published(), 0);
}

TEST_F(AmqpClient, SpeaksTlsWithAServerThatItKnows) {
  http_test::MadeCertificate made("localhost");
  http_test::TlsFolder folder;
  TlsFiles files = folder.put(made);
  RealServer server(tls_server_command(files.certificate, files.key));
  Settings settings;
  settings.endpoint = {"localhost", server.port(), *TlsClient::make(files.certificate)};
  auto knows = std::make_shared<Client>(loop_, std::make_shared<const Settings>(settings), "test");
  Publisher publisher(knows, [](Channel&) {}, [](const Incoming&) {});
  in_loop([&] {
    // To no queue at all: it comes back, in many frames.
    Publish message{
        .exchange = "", .routing_key = "nobody", .mandatory = true, .body = Bytes(700'000, 'x')};
    message.properties.message_id = "1";
    publisher.publish(std::move(message), Deadline::after(std::chrono::seconds(20)),
                      [this](Result<Routed> done) { told_.push_back(std::move(done)); });
  });
  ASSERT_TRUE(until([&] { return told_.size() == 1; }));
  ASSERT_TRUE(told_[0].has_value()) << told_[0].error().message();
  EXPECT_EQ(*told_[0], Routed::kNowhere);

  http_test::MadeCertificate another("another");
  settings.endpoint.tls = *TlsClient::make(folder.put("another.pem", another.certificate));
  auto knows_not =
      std::make_shared<Client>(loop_, std::make_shared<const Settings>(settings), "test");
  std::optional<Result<void>> reached;
  in_loop([&] {
    knows_not->reach(Deadline::after(std::chrono::seconds(20)),
                     [&](Result<void> how) { reached = std::move(how); });
  });
  ASSERT_TRUE(until([&] { return reached.has_value(); }));
  ASSERT_FALSE(reached->has_value());
  EXPECT_THAT(reached->error().message(), HasSubstr("certificate"));
}

}  // namespace
}  // namespace weft::remote::amqp
