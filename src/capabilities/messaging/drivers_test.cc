// Shows that every driver passes the one conformance suite. A new driver is one more line below.
#include "capabilities/keyvalue/backend.h"
#include "capabilities/messaging/conformance.h"
#include "capabilities/messaging/drivers/jetstream/jetstream.h"
#include "capabilities/messaging/drivers/kafka/kafka.h"
#include "capabilities/messaging/drivers/mqtt/mqtt.h"
#include "capabilities/messaging/drivers/nats/nats.h"
#include "capabilities/messaging/drivers/rabbitmq/rabbitmq.h"
#include "capabilities/messaging/log_broker.h"
#include "remote/amqp/testing.h"
#include "remote/kafka/testing.h"
#include "remote/mqtt/testing.h"
#include "remote/nats/testing.h"

namespace weft::messaging {
namespace {

std::unique_ptr<Backend> memory(StateFolderOnDemand&) {
  return log_backend(keyvalue::memory_backend());
}

std::unique_ptr<Backend> embedded(StateFolderOnDemand& state) {
  return log_backend(keyvalue::lmdb_backend(state));
}

// Each test has subjects and streams of its own, which stay the same when it starts anew.
std::string own_name() {
  std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  return test.substr(0, test.find('/'));
}

std::unique_ptr<Backend> core_nats(StateFolderOnDemand&) {
  nats::Settings settings;
  settings.server.endpoints = {{"127.0.0.1", remote::nats::shared_server().port()}};
  settings.prefix = own_name() + ".{app}.{broker}";
  return nats::nats_backend(std::move(settings));
}

std::unique_ptr<Backend> jet_stream(StateFolderOnDemand&) {
  jetstream::Settings settings;
  settings.server.endpoints = {{"127.0.0.1", remote::nats::shared_server().port()}};
  settings.prefix = own_name() + "_js.{app}.{broker}";
  settings.stream = own_name() + "-{app}-{broker}";
  // What a host that crashed held is brought to the next one after that.
  settings.ack_wait = std::chrono::seconds(2);
  return jetstream::jetstream_backend(std::move(settings));
}

std::unique_ptr<Backend> mosquitto(StateFolderOnDemand&) {
  mqtt::Settings settings;
  settings.server.endpoint = {"127.0.0.1", remote::mqtt::shared_server().port()};
  settings.prefix = own_name() + "/{app}/{broker}";
  settings.client_id = own_name();
  return mqtt::mqtt_backend(std::move(settings));
}

std::unique_ptr<Backend> rabbit_mq(StateFolderOnDemand&) {
  rabbitmq::Settings settings;
  settings.server.endpoint = {"127.0.0.1", remote::amqp::shared_server().port()};
  settings.prefix = own_name() + ".{app}.{broker}";
  return rabbitmq::rabbitmq_backend(std::move(settings));
}

std::unique_ptr<Backend> classic_rabbit_mq(StateFolderOnDemand&) {
  rabbitmq::Settings settings;
  settings.server.endpoint = {"127.0.0.1", remote::amqp::shared_server().port()};
  settings.prefix = own_name() + ".classic.{app}.{broker}";
  settings.queue_type = rabbitmq::QueueType::kClassic;
  return rabbitmq::rabbitmq_backend(std::move(settings));
}

// librdkafka's mock of a cluster, no Kafka. In it a group waits three seconds for its first
// members, and a second less than its session when somebody comes or goes.
std::unique_ptr<Backend> mock_kafka(StateFolderOnDemand&) {
  kafka::Settings settings;
  settings.server.servers = remote::kafka::shared_mock().servers();
  settings.server.session = std::chrono::milliseconds(3'500);
  settings.server.refresh = std::chrono::milliseconds(200);
  settings.prefix = own_name() + ".{app}.{broker}";
  settings.group_prefix = settings.prefix;
  return kafka::kafka_backend(std::move(settings));
}

INSTANTIATE_TEST_SUITE_P(
    messaging, Conformance,
    ::testing::Values(Driver{"memory", memory, {.durable = false, .keeps_letters = false}},
                      Driver{"embedded", embedded},
                      Driver{"nats",
                             core_nats,
                             {.durable = false, .keeps_letters = false, .keeps_for_absent = false}},
                      Driver{"jetstream", jet_stream, {.counts_failures = false}},
                      Driver{"mqtt", mosquitto, {.keeps_letters = false, .counts_failures = false}},
                      Driver{"rabbitmq", rabbit_mq, {.counts_failures = false}},
                      Driver{"rabbitmq_classic", classic_rabbit_mq, {.counts_failures = false}},
                      Driver{"kafka", mock_kafka}),
    [](const auto& driver) { return driver.param.name; });

}  // namespace
}  // namespace weft::messaging
