// Every driver of object stores with a server through every fault: what was acknowledged is there
// and whole, what was not is there whole or not at all.
#include <gtest/gtest.h>

#include <tuple>

#include "capabilities/blobstore/backend.h"
#include "capabilities/blobstore/drivers/azure/azure.h"
#include "capabilities/blobstore/drivers/azure/server.h"
#include "capabilities/blobstore/drivers/s3/s3.h"
#include "capabilities/blobstore/drivers/s3/server.h"
#include "gate.h"
#include "io/test_task.h"

namespace weft::blobstore {
namespace {

using gate::Fault;
using gate::Way;
using Driver = gate::Driver<Backend>;

std::unique_ptr<gate::Server> start_swift() {
  auto server = std::make_unique<gate::OneProcess>(s3::server_command);
  s3::ask(server->port(), "PUT", "/gate");
  return server;
}

std::unique_ptr<Backend> s3_at(std::uint16_t port) {
  return s3::s3_backend(s3::settings_for(port, "gate"));
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
  return azure::azure_backend(azure::settings_for(port, Azurite::container()));
}

std::vector<Driver> drivers() {
  std::vector<Driver> all{Driver{"s3", start_swift, s3_at}};
  if (remote::azure::has_server()) all.push_back({"azure_blob", start_azurite, azure_at});
  return all;
}

constexpr std::size_t kObjectBytes = 150'000;

class Worker {
 public:
  Worker(Backend& backend, gate::Ledger& ledger, int number)
      : ledger_(ledger), number_(number), store_(backend.store(loop_)) {
    ContainerName name{"app", "gate"};
    wait(store_->create(request(gate::kRecovery), name));  // The other worker may have made it.
    container_ =
        *gate::when_well([&] { return wait(store_->open(request(gate::kRecovery), name)); });
  }

  void put() {
    std::string name = std::to_string(number_) + "/" + std::to_string(++writes_ % 10);
    std::string text = std::string(kObjectBytes, 'o') + std::to_string(writes_);
    auto done = wait(put_task(container_.get(), request(gate::kDeadline), name, text));
    if (done) return ledger_.acknowledged(name, text);
    ledger_.uncertain(name, text);
    EXPECT_TRUE(gate::tells_of_fault(done.error().code())) << done.error().message();
  }
  // "": there is none. A failure is its own text.
  std::string get(const std::string& name) {
    std::string found;
    bool read = gate::recovers([&] {
      auto text = wait(get_task(container_.get(), request(gate::kRecovery), name));
      bool absent = !text && text.error().code() == Errc::kNotFound;
      found = text ? *std::move(text) : absent ? "" : "! " + text.error().message();
      return text || absent;
    });
    EXPECT_TRUE(read) << found;
    return found;
  }
  bool well() {
    return wait(put_task(container_.get(), request(gate::kDeadline), "well", "1")).has_value();
  }

 private:
  static Task<void> put_task(Container* into, Request request, std::string name, std::string text) {
    CO_TRY(auto writer, co_await into->write(request, std::move(name)));
    for (std::size_t at = 0; at < text.size(); at += kPartBytesMax) {
      Bytes part = to_bytes(std::string_view(text).substr(at, kPartBytesMax));
      CO_TRY_VOID(co_await writer->write(request, std::move(part)));
    }
    co_return co_await writer->commit(request);
  }
  static Task<std::string> get_task(Container* from, Request request, std::string name) {
    CO_TRY(auto reader, co_await from->read(request, std::move(name), {}));
    std::string text;
    for (;;) {
      CO_TRY(Bytes part, co_await reader->read(request));
      if (part.empty()) co_return text;
      text += as_text(part);
    }
  }

  Request request(std::chrono::milliseconds time) { return {loop_, Deadline::after(time)}; }
  template <class T>
  Result<T> wait(Task<T> task) {
    return testing::run_task(loop_, std::move(task), std::chrono::seconds(60));
  }

  gate::Ledger& ledger_;
  int number_;
  int writes_ = 0;
  Loop loop_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Container> container_;
};

class BlobstoreGate : public ::testing::TestWithParam<std::tuple<Driver, Fault>> {};

TEST_P(BlobstoreGate, LosesNothingAndShowsNothingHalf) {
  const auto& [driver, fault] = GetParam();
  Way way(driver.start());
  std::unique_ptr<Backend> backend = driver.backend(way.port());
  ASSERT_TRUE(backend->open().has_value());
  gate::Ledger ledger;
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < gate::kWorkers; ++i) {
    workers.push_back(std::make_unique<Worker>(*backend, ledger, i));
    for (int round = 0; round < 3; ++round) workers.back()->put();
  }

  way.begin(fault);
  gate::on_each_worker(
      [&](int i) { gate::call_for_a_while(way, fault, [&] { workers[i]->put(); }); });
  way.end(fault);
  for (const auto& worker : workers) {
    EXPECT_TRUE(gate::recovers([&] { return worker->well(); }));
  }
  ledger.check([&](const std::string& name) { return workers.front()->get(name); });
}

INSTANTIATE_TEST_SUITE_P(drivers, BlobstoreGate,
                         ::testing::Combine(::testing::ValuesIn(drivers()),
                                            ::testing::ValuesIn(gate::kFaults)),
                         [](const auto& each) {
                           return std::get<0>(each.param).name + "_" +
                                  std::string(std::get<1>(each.param).name);
                         });

}  // namespace
}  // namespace weft::blobstore
