// Every broker with a server through every fault: what was acknowledged to its publisher is
// handled, where the driver promises that, and it recovers by itself.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <set>
#include <tuple>

#include "capabilities/messaging/broker.h"
#include "capabilities/messaging/drivers/jetstream/jetstream.h"
#include "capabilities/messaging/drivers/kafka/kafka.h"
#include "capabilities/messaging/drivers/mqtt/mqtt.h"
#include "capabilities/messaging/drivers/nats/nats.h"
#include "capabilities/messaging/drivers/rabbitmq/rabbitmq.h"
#include "gate.h"
#include "io/loop.h"
#include "remote/amqp/testing.h"
#include "remote/kafka/testing.h"
#include "remote/mqtt/testing.h"
#include "remote/nats/testing.h"

namespace weft::messaging {
namespace {

using gate::Fault;
using gate::Way;
using std::chrono::milliseconds;

// What is kept by nobody may be lost, and only that: Mosquitto writes its sessions down when it
// ends well.
enum class Keeps : std::uint8_t { kNothing, kWhileItRuns, kAll };

struct Driver : gate::Driver<Backend> {
  Keeps keeps;
};

std::unique_ptr<gate::Server> start_nats() {
  return std::make_unique<gate::OneProcess>(remote::nats::server_command);
}

std::unique_ptr<Backend> nats_at(std::uint16_t port) {
  nats::Settings settings;
  settings.server.endpoints = {{"127.0.0.1", port}};
  settings.server.silence = gate::kDeadline;
  return nats::nats_backend(std::move(settings));
}

std::unique_ptr<Backend> jetstream_at(std::uint16_t port) {
  jetstream::Settings settings;
  settings.server.endpoints = {{"127.0.0.1", port}};
  settings.server.silence = gate::kDeadline;
  settings.ack_wait = milliseconds(1'000);
  return jetstream::jetstream_backend(std::move(settings));
}

std::unique_ptr<gate::Server> start_mosquitto() {
  return std::make_unique<gate::OneProcess>(remote::mqtt::server_command);
}

std::unique_ptr<Backend> mqtt_at(std::uint16_t port) {
  mqtt::Settings settings;
  settings.server.endpoint = {"127.0.0.1", port};
  settings.server.silence = gate::kDeadline;
  settings.client_id = "gate";
  return mqtt::mqtt_backend(std::move(settings));
}

// Killed when it knows its queues for good.
class RabbitServer final : public gate::OneProcess {
 public:
  RabbitServer() : ServerOf(remote::amqp::server_command) {}
  void kill() override {
    remote::amqp::wait_until_written(process_, "weft.app.gate:g");
    gate::OneProcess::kill();
  }
};

std::unique_ptr<gate::Server> start_rabbitmq() {
  return std::make_unique<RabbitServer>();
}

std::unique_ptr<gate::Server> start_plain_rabbitmq() {
  return std::make_unique<gate::OneProcess>(remote::amqp::server_command);
}

rabbitmq::Settings rabbitmq_settings(std::uint16_t port) {
  rabbitmq::Settings settings;
  settings.server.endpoint = {"127.0.0.1", port};
  settings.server.silence = remote::amqp::kSilenceMin;
  return settings;
}

std::unique_ptr<Backend> rabbitmq_at(std::uint16_t port) {
  return rabbitmq::rabbitmq_backend(rabbitmq_settings(port));
}

std::unique_ptr<Backend> classic_rabbitmq_at(std::uint16_t port) {
  rabbitmq::Settings settings = rabbitmq_settings(port);
  settings.queue_type = rabbitmq::QueueType::kClassic;
  return rabbitmq::rabbitmq_backend(std::move(settings));
}

// librdkafka's mock of Kafka. It would forget all in a crash: killed, it only breaks and refuses
// connections until it is started.
class MockKafka final : public gate::Server {
 public:
  std::uint16_t port() const override { return mock_.port(); }
  void kill() override { mock_.down(); }
  void start() override { mock_.up(); }
  void freeze() override { mock_.freeze(); }
  void thaw() override { mock_.thaw(); }

 private:
  remote::kafka::Mock mock_;
};

std::unique_ptr<gate::Server> start_kafka() {
  return std::make_unique<MockKafka>();
}

std::unique_ptr<Backend> kafka_at(std::uint16_t port) {
  kafka::Settings settings;
  settings.server.servers = "127.0.0.1:" + std::to_string(port);
  // It says of itself where it is: past the proxy.
  settings.server.through_port = port;
  settings.server.timeout = 3 * gate::kDeadline;
  settings.server.session = milliseconds(3'500);
  settings.server.refresh = milliseconds(500);
  return kafka::kafka_backend(std::move(settings));
}

// A loop with a broker. Its thread is whose calls it runs.
class Worker : private Receiver {
 public:
  Worker(Loop& loop, Backend& backend)
      : loop_(loop), broker_(backend.broker(loop_, {"app", "gate"})) {}
  ~Worker() override { queue_.reset(); }

  void subscribe() { queue_ = broker_->subscribe({"g", ">", Ordering::kNone, 16}, *this); }
  // Whether it was acknowledged. A failure says why in a way that helps.
  bool publish(const std::string& text, milliseconds time = gate::kDeadline) {
    std::optional<Result<void>> told;
    loop_.post([&] {
      Loop::Turn turn(loop_);
      auto answer = broker_->publish({loop_, Deadline::after(time)}, {"t", to_bytes(text)});
      if (answer.ready()) {
        told = answer.result();
        return;
      }
      auto ignored = std::move(answer).settle([&](Result<void> result) {
        told = std::move(result);
        return Nothing();
      });
    });
    run_until([&] { return told.has_value(); });
    if (!told) return false;
    if (!*told) {
      EXPECT_TRUE(gate::tells_of_fault(told->error().code())) << told->error().message();
    }
    return told->has_value();
  }
  template <class Done>
  bool run_until(Done done, Deadline limit = Deadline::after(gate::kRecovery)) {
    while (!done()) {
      if (limit.passed()) return false;
      loop_.context().restart();
      loop_.context().run_for(milliseconds(2));
    }
    return true;
  }

  std::multiset<std::string> handled;

 private:
  // Each third fails once, so that what is held is there when things happen.
  void deliver(Delivery delivery) override {
    loop_.post([this, delivery = std::move(delivery)] {
      std::string text(as_text(delivery.message.data));
      if (delivery.attempt == 1 && text.ends_with('3')) {
        return queue_->settle(delivery.id, {Verdict::Kind::kFailed, milliseconds(20), "no"});
      }
      handled.insert(std::move(text));
      queue_->settle(delivery.id, {});
    });
  }

  Loop& loop_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Queue> queue_;
};

class MessagingGate : public ::testing::TestWithParam<std::tuple<Driver, Fault>> {};

TEST_P(MessagingGate, HandlesWhatWasAcknowledged) {
  const auto& [driver, fault] = GetParam();
  Way way(driver.start());
  // They outlive the backend, whose threads answer to them.
  Loop handler_loop;
  Loop publisher_loop;
  std::unique_ptr<Backend> backend = driver.backend(way.port());
  ASSERT_TRUE(backend->open().has_value());
  // One handles, the other publishes.
  Worker handler(handler_loop, *backend);
  Worker publisher(publisher_loop, *backend);
  handler.subscribe();
  std::set<std::string> acknowledged;
  ASSERT_TRUE(gate::recovers([&] { return handler.publish("first", gate::kRecovery); }));
  for (int i = 0; i < 5; ++i) {
    std::string text = "before " + std::to_string(i);
    ASSERT_TRUE(gate::recovers([&] { return publisher.publish(text, gate::kRecovery); }));
    acknowledged.insert(text);
  }
  auto has = [&](const std::string& text) { return handler.handled.contains(text); };
  auto has_all = [&] { return std::ranges::all_of(acknowledged, has); };
  ASSERT_TRUE(handler.run_until(has_all));

  way.begin(fault);
  std::atomic<bool> over = false;
  std::jthread handling([&] { handler.run_until([&] { return over.load(); }); });
  gate::call_for_a_while(way, fault, [&, number = 0]() mutable {
    std::string text = "during " + std::to_string(++number);
    if (publisher.publish(text)) acknowledged.insert(text);
  });
  way.end(fault);
  over = true;
  handling.join();

  // Well: both go on by themselves.
  EXPECT_TRUE(gate::recovers([&] { return publisher.publish("well"); }));
  EXPECT_TRUE(gate::recovers([&] {
    return publisher.publish("after") &&
           handler.run_until([&] { return has("after"); }, Deadline::after(milliseconds(200)));
  }));
  bool killed = fault.server == Fault::Server::kIsKilled;
  if (driver.keeps == Keeps::kAll || (driver.keeps == Keeps::kWhileItRuns && !killed)) {
    handler.run_until(has_all);
    for (const std::string& text : acknowledged) EXPECT_TRUE(has(text)) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(
    drivers, MessagingGate,
    ::testing::Combine(
        ::testing::Values(Driver{{"nats", start_nats, nats_at}, Keeps::kNothing},
                          Driver{{"jetstream", start_nats, jetstream_at}, Keeps::kAll},
                          Driver{{"mqtt", start_mosquitto, mqtt_at}, Keeps::kWhileItRuns},
                          Driver{{"rabbitmq", start_rabbitmq, rabbitmq_at}, Keeps::kAll},
                          Driver{{"rabbitmq_classic", start_plain_rabbitmq, classic_rabbitmq_at},
                                 Keeps::kAll},
                          Driver{{"kafka", start_kafka, kafka_at}, Keeps::kAll}),
        ::testing::ValuesIn(gate::kFaults)),
    [](const auto& each) {
      return std::get<0>(each.param).name + "_" + std::string(std::get<1>(each.param).name);
    });

}  // namespace
}  // namespace weft::messaging
