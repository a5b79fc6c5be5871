// Every key-value driver with a server through every fault: what was acknowledged is there, and
// nothing was done twice.
#include <gtest/gtest.h>

#include <tuple>

#include "capabilities/keyvalue/backend.h"
#include "capabilities/keyvalue/drivers/azure/azure.h"
#include "capabilities/keyvalue/drivers/dynamodb/dynamodb.h"
#include "capabilities/keyvalue/drivers/dynamodb/server.h"
#include "capabilities/keyvalue/drivers/etcd/etcd.h"
#include "capabilities/keyvalue/drivers/nats/nats.h"
#include "capabilities/keyvalue/drivers/redis/redis.h"
#include "capabilities/keyvalue/drivers/redis/server.h"
#include "capabilities/keyvalue/testing.h"
#include "gate.h"
#include "remote/azure/testing.h"
#include "remote/etcd/testing.h"
#include "remote/nats/testing.h"

namespace weft::keyvalue {
namespace {

using gate::Fault;
using gate::Way;
using Driver = gate::Driver<Backend>;

std::unique_ptr<gate::Server> start_redis() {
  return std::make_unique<gate::OneProcess>(redis::server_command);
}

std::unique_ptr<Backend> redis_at(std::uint16_t port) {
  redis::Settings settings;
  settings.endpoint = {"127.0.0.1", port};
  settings.silence = gate::kDeadline;
  return redis::redis_backend(std::move(settings));
}

std::unique_ptr<gate::Server> start_nats() {
  return std::make_unique<gate::OneProcess>(remote::nats::server_command);
}

std::unique_ptr<Backend> nats_at(std::uint16_t port) {
  nats::Settings settings;
  settings.server.endpoints = {{"127.0.0.1", port}};
  settings.server.silence = gate::kDeadline;
  return nats::nats_backend(std::move(settings));
}

std::unique_ptr<gate::Server> start_etcd() {
  return std::make_unique<gate::ServerOf<remote::etcd::Server>>();
}

std::unique_ptr<Backend> etcd_at(std::uint16_t port) {
  etcd::Settings settings;
  settings.server.servers = {"http://127.0.0.1:" + std::to_string(port)};
  settings.server.timeout = gate::kDeadline;
  return etcd::etcd_backend(std::move(settings));
}

// With the table, which is there whenever it runs again.
std::unique_ptr<gate::Server> start_dynamodb() {
  auto server = std::make_unique<gate::OneProcess>(dynamodb::server_command);
  dynamodb::make_table(server->port(), "weft");
  return server;
}

std::unique_ptr<Backend> dynamodb_at(std::uint16_t port) {
  dynamodb::Settings settings = dynamodb::settings_for(port, "weft");
  settings.timeout = gate::kDeadline;
  return dynamodb::dynamodb_backend(std::move(settings));
}

// One process for all faults, because it takes seconds to start; each has a container of its own.
// It is ended in its own way, because only then it writes down all that it has acknowledged.
class Azurite final : public gate::Server {
 public:
  Azurite() { container() = remote::azure::new_container(port()); }
  std::uint16_t port() const override { return server().port(); }
  void kill() override { server().stop(); }
  void start() override { server().start(); }
  void freeze() override { server().freeze(); }
  void thaw() override { server().thaw(); }

  static remote::RealServer& server() {
    static remote::RealServer one(remote::azure::server_command);
    return one;
  }
  // The last one's.
  static std::string& container() {
    static std::string name;
    return name;
  }
};

std::unique_ptr<gate::Server> start_azurite() {
  return std::make_unique<Azurite>();
}

std::unique_ptr<Backend> azure_at(std::uint16_t port) {
  azure::Settings settings;
  settings.server = remote::azure::settings_for(port, Azurite::container());
  settings.server.timeout = gate::kDeadline;
  return azure::azure_backend(std::move(settings));
}

std::vector<Driver> drivers() {
  std::vector<Driver> all{Driver{"redis", start_redis, redis_at},
                          Driver{"nats", start_nats, nats_at}, Driver{"etcd", start_etcd, etcd_at}};
  // Those whose server is no Debian package, where it is installed.
  if (dynamodb::has_server()) all.push_back({"dynamodb", start_dynamodb, dynamodb_at});
  if (remote::azure::has_server()) all.push_back({"azure_blob", start_azurite, azure_at});
  return all;
}

class Worker {
 public:
  Worker(Backend& backend, gate::Ledger& ledger, gate::Count& count, int number)
      : ledger_(ledger), count_(count), number_(number), store_(backend.store(loop_)) {
    bucket_ = *gate::when_well(
        [this] { return await(loop_, store_->open(request(gate::kRecovery), {"app", "gate"})); });
  }

  // One more in the counter. Whether it was acknowledged.
  bool count() {
    auto sum = await(loop_, bucket_->increment(request(gate::kDeadline), "count", 1));
    count_.add(sum.has_value());
    if (!sum) check(sum.error());
    return sum.has_value();
  }
  void store() {
    std::string key = std::to_string(number_) + "/" + std::to_string(++writes_ % 20);
    std::string value = std::string(2'000, 'v') + std::to_string(writes_);
    auto done = await(loop_, bucket_->set(request(gate::kDeadline), key, as_bytes(value)));
    if (done) return ledger_.acknowledged(key, value);
    ledger_.uncertain(key, value);
    check(done.error());
  }

  // "": there is none. A failure is its own text.
  std::string get(std::string_view key) {
    auto value =
        gate::when_well([&] { return await(loop_, bucket_->get(request(gate::kRecovery), key)); });
    if (!value) return "! " + value.error().message();
    return *value ? std::string(as_text(**value)) : "";
  }
  bool well() {
    return await(loop_, bucket_->set(request(gate::kDeadline), "well", as_bytes("1"))).has_value();
  }

 private:
  Request request(std::chrono::milliseconds time) { return {loop_, Deadline::after(time)}; }
  static void check(const Error& error) {
    EXPECT_TRUE(gate::tells_of_fault(error.code())) << error.message();
  }

  gate::Ledger& ledger_;
  gate::Count& count_;
  int number_;
  int writes_ = 0;
  Loop loop_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Bucket> bucket_;
};

class KeyvalueGate : public ::testing::TestWithParam<std::tuple<Driver, Fault>> {};

TEST_P(KeyvalueGate, LosesNothingAndDoesNothingTwice) {
  const auto& [driver, fault] = GetParam();
  Way way(driver.start());
  std::unique_ptr<Backend> backend = driver.backend(way.port());
  ASSERT_TRUE(backend->open().has_value());
  gate::Ledger ledger;
  gate::Count count;
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < gate::kWorkers; ++i) {
    workers.push_back(std::make_unique<Worker>(*backend, ledger, count, i));
    for (int round = 0; round < 5; ++round) {
      ASSERT_TRUE(gate::recovers([&] { return workers.back()->count(); }));
      workers.back()->store();
    }
  }

  way.begin(fault);
  gate::on_each_worker([&](int i) {
    gate::call_for_a_while(way, fault, [&, turn = 0]() mutable {
      if (++turn % 2 == 0) {
        workers[i]->store();
      } else {
        workers[i]->count();
      }
    });
  });
  way.end(fault);
  for (const auto& worker : workers) {
    EXPECT_TRUE(gate::recovers([&] { return worker->well(); }));
  }

  Worker& reader = *workers.front();
  auto check = [&] { count.check(std::stoll("0" + reader.get("count"))); };
  check();
  ledger.check([&](const std::string& key) { return reader.get(key); });
  // Well: both workers go on, and every call counts.
  for (const auto& worker : workers) {
    EXPECT_TRUE(gate::recovers([&] { return worker->count(); }));
  }
  check();
}

INSTANTIATE_TEST_SUITE_P(drivers, KeyvalueGate,
                         ::testing::Combine(::testing::ValuesIn(drivers()),
                                            ::testing::ValuesIn(gate::kFaults)),
                         [](const auto& each) {
                           return std::get<0>(each.param).name + "_" +
                                  std::string(std::get<1>(each.param).name);
                         });

}  // namespace
}  // namespace weft::keyvalue
