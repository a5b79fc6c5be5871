// Shows what a component sees of the later wasmcloud:messaging@0.3.0: bodies of more than a pipe
// holds, both ways, the interface's word for each failure, and what its handler's words mean.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/keyvalue/backend.h"
#include "capabilities/messaging/body.h"
#include "capabilities/messaging/hosts.h"
#include "capabilities/messaging/log_broker.h"
#include "capabilities/messaging/messaging.h"
#include "capabilities/testing.h"
#include "wit/wasmcloud/messaging_0_3_0/consumer.h"

namespace weft::messaging {
namespace {

namespace wit = ::weft::wit::wasmcloud::messaging_0_3_0;
using WitError = wit::types::Error;
using WitFailure = wit::types::HandleMessageError;
using Published = std::expected<void, WitError>;
// A reply whose body is the number of its pipe.
using Replied =
    std::expected<std::tuple<std::string, std::uint32_t, std::optional<std::string>>, WitError>;

Bytes large(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i % 253);
  return bytes;
}

// Keeps what it is brought, and answers who asks with the same.
class Mirror final : public Receiver {
 public:
  Mirror(Loop& loop, Backend& backend)
      : loop_(loop),
        broker_(backend.broker(loop, {"app", ""})),
        queue_(broker_->subscribe({.group = "mirror", .pattern = "mirror.>"}, *this)) {}

  void deliver(Delivery delivery) override {
    queue_->settle(delivery.id, {});
    if (delivery.message.reply_to) {
      auto sent = broker_->publish({loop_, Deadline::after(std::chrono::seconds(10))},
                                   {*delivery.message.reply_to, delivery.message.data});
    }
    got.push_back(std::move(delivery.message));
  }

  std::vector<Message> got;

 private:
  Loop& loop_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Queue> queue_;
};

// Lets what is posted end too, before the instance goes.
class TestGuest : public weft::TestGuest {
 public:
  using weft::TestGuest::TestGuest;
  ~TestGuest() override {
    loop().context().restart();
    loop().context().poll();
  }
};

class Streams : public ::testing::Test {
 protected:
  Streams() : Streams(log_backend(keyvalue::memory_backend())) {}
  explicit Streams(std::unique_ptr<Backend> backend)
      : backend_(*backend), capability_(std::move(backend)) {
    use_.names = {""};
  }

  // What is left of the body lives until the call is over.
  Published publish(TestGuest& guest, std::string subject, Bytes data) {
    auto [stream, rest] = Body::make(guest.loop(), std::move(data));
    return publish(guest, std::move(subject), std::move(stream));
  }
  Published publish(TestGuest& guest, std::string subject, Stream<std::uint8_t> body) {
    Buffer bytes;
    Writer out(bytes, &guest.resources());
    out.write(wit::types::BrokerMessage{std::move(subject), std::move(body), std::nullopt});
    auto answer = guest.call_bytes<Published>(offer(), "publish", bytes.view());
    CHECK(answer.has_value());
    return *std::move(answer);
  }
  Replied request(TestGuest& guest, std::string_view subject, Bytes data,
                  std::optional<std::uint32_t> timeout_ms = std::nullopt) {
    auto [stream, rest] = Body::make(guest.loop(), std::move(data));
    Buffer bytes;
    Writer out(bytes, &guest.resources());
    out.write(subject);
    out.write(stream);
    out.write(timeout_ms);
    auto answer = guest.call_bytes<Replied>(offer(), "request", bytes.view());
    CHECK(answer.has_value());
    return *std::move(answer);
  }
  template <class Done>
  static bool until(TestGuest& guest, Done done) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (!done()) {
      if (limit.passed()) return false;
      guest.loop().context().restart();
      guest.loop().context().run_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  // A group is there as soon as its queue has begun.
  static void begin(TestGuest& guest) {
    guest.loop().context().restart();
    guest.loop().context().run_for(std::chrono::milliseconds(30));
  }
  const Offer& offer() const { return offer_of(capability_, wit::consumer::kName); }

  Use use_;
  Backend& backend_;
  MessagingCapability capability_;
};

TEST_F(Streams, AreReadToTheirEnd) {
  TestGuest guest(capability_, use_);
  Mirror mirror(guest.loop(), backend_);
  begin(guest);
  for (std::size_t size :
       {std::size_t{0}, std::size_t{3}, std::size_t{200'000}, kMessageBytesMax}) {
    ASSERT_TRUE(publish(guest, "mirror.a", large(size)).has_value());
    ASSERT_TRUE(until(guest, [&] { return !mirror.got.empty(); }));
    EXPECT_EQ(mirror.got.front().topic, "mirror.a");
    EXPECT_EQ(mirror.got.front().data, large(size));
    mirror.got.clear();
  }
}

TEST_F(Streams, OfTooMuchPublishNothing) {
  TestGuest guest(capability_, use_);
  Mirror mirror(guest.loop(), backend_);
  begin(guest);
  Published done = publish(guest, "mirror.a", large(kMessageBytesMax + 1));
  ASSERT_FALSE(done.has_value());
  EXPECT_TRUE(done.error().is<WitError::MessageTooLarge>());
  begin(guest);
  EXPECT_TRUE(mirror.got.empty());
}

TEST_F(Streams, ThatAreCutOffPublishNothing) {
  TestGuest guest(capability_, use_);
  Mirror mirror(guest.loop(), backend_);
  begin(guest);
  auto [stream, rest] = Body::make(guest.loop(), large(200'000));
  rest.reset();
  Published done = publish(guest, "mirror.a", std::move(stream));
  ASSERT_FALSE(done.has_value());
  EXPECT_TRUE(done.error().is<WitError::Other>());
  begin(guest);
  EXPECT_TRUE(mirror.got.empty());
}

TEST_F(Streams, AreNotReadForWhatIsRefused) {
  TestGuest guest(capability_, use_);
  for (std::string subject : {"", "a b", "a.*", "a..b"}) {
    auto [stream, writer] = Stream<std::uint8_t>::make(guest.loop());
    Published done = publish(guest, subject, std::move(stream));
    ASSERT_FALSE(done.has_value());
    EXPECT_TRUE(done.error().is<WitError::SubjectInvalid>()) << subject;
    EXPECT_TRUE(writer.end().abandoned());
  }
  use_.names = {"one", "two"};
  TestGuest other(capability_, use_);
  auto [stream, writer] = Stream<std::uint8_t>::make(other.loop());
  Published done = publish(other, "a", std::move(stream));
  ASSERT_FALSE(done.has_value());
  EXPECT_TRUE(done.error().is<WitError::AccessDenied>());
}

TEST_F(Streams, OfRepliesAreReadByTheGuest) {
  TestGuest guest(capability_, use_);
  Mirror mirror(guest.loop(), backend_);
  begin(guest);
  Replied reply = request(guest, "mirror.q", large(300'000));
  ASSERT_TRUE(reply.has_value());
  auto end = guest.resources().pipes()->take_reader(std::get<1>(*reply), PipeKind::kBytes);
  ASSERT_TRUE(end.has_value());
  Bytes all;
  ASSERT_TRUE(until(guest, [&] {
    if (end->state() != PipeState::kData) return end->state() == PipeState::kEnd;
    all.insert(all.end(), end->view().begin(), end->view().end());
    end->take(end->view().size());
    return false;
  }));
  EXPECT_EQ(all, large(300'000));
}

TEST_F(Streams, OfRepliesThatNobodyReadsAreBounded) {
  TestGuest guest(capability_, use_);
  Mirror mirror(guest.loop(), backend_);
  begin(guest);
  std::vector<PipeReader> unread;
  Replied reply;
  for (int i = 0; i < 1'000; ++i) {
    reply = request(guest, "mirror.q", large(100'000));
    if (!reply) break;
    unread.push_back(
        *guest.resources().pipes()->take_reader(std::get<1>(*reply), PipeKind::kBytes));
  }
  ASSERT_FALSE(reply.has_value());
  EXPECT_TRUE(reply.error().is<WitError::QuotaExceeded>());
  EXPECT_GT(unread.size(), 16U);
  unread.clear();
  begin(guest);
  EXPECT_TRUE(request(guest, "mirror.q", large(100'000)).has_value());
}

TEST_F(Streams, WithoutAReplyInTimeEndWithTimeout) {
  TestGuest guest(capability_, use_);
  Replied reply = request(guest, "nobody", large(10), 20);
  ASSERT_FALSE(reply.has_value());
  EXPECT_TRUE(reply.error().is<WitError::Timeout>());
}

TEST(StreamsHandler, ItsWordsDecide) {
  auto handled = [](std::expected<void, WitFailure> result) {
    Buffer bytes;
    Writer out(bytes);
    out.write(result);
    Reader in(bytes.view());
    return kWasmcloudStreamsHandler.read(in);
  };
  EXPECT_TRUE(handled({}).well);
  Handled reject = handled(std::unexpected(WitFailure::reject()));
  EXPECT_TRUE(!reject.well && reject.reject);
  Handled retry = handled(std::unexpected(WitFailure::retry()));
  EXPECT_TRUE(!retry.well && !retry.reject);
  Handled other = handled(std::unexpected(WitFailure::other("no")));
  EXPECT_TRUE(!other.well && !other.reject);
  EXPECT_EQ(other.reason, "no");
}

}  // namespace
}  // namespace weft::messaging
