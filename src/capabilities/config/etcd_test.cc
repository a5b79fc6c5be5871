// Shows what the driver `etcd` of wasi:config reads, that a change is seen without a restart, and
// what is refused.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <thread>

#include "base/check.h"
#include "capabilities/config/config.h"
#include "capabilities/config/source.h"
#include "io/loop.h"
#include "remote/base64.h"
#include "remote/etcd/client.h"
#include "remote/etcd/testing.h"

namespace weft::config {
namespace {

using remote::etcd::Client;
using ::testing::HasSubstr;
using ::testing::Not;

class EtcdConfig : public ::testing::Test {
 protected:
  static remote::etcd::Settings settings_for(std::uint16_t port) {
    return {.servers = {fmt::format("http://127.0.0.1:{}", port)},
            .timeout = std::chrono::seconds(3)};
  }
  // As an operator's tools would.
  void ask(std::string_view path, std::string_view key, std::string_view value) {
    Loop loop;
    auto client = std::make_shared<Client>(
        loop, std::make_shared<const remote::etcd::Settings>(settings_for(server_.port())));
    std::string body = fmt::format(R"({{"key":"{}","value":"{}"}})", remote::base64(as_bytes(key)),
                                   remote::base64(as_bytes(value)));
    if (path == "kv/deleterange") {
      body = fmt::format(R"({{"key":"{}"}})", remote::base64(as_bytes(key)));
    }
    bool done = false;
    loop.post([&] {
      Loop::Turn turn(loop);
      client->ask(path, body, Deadline::after(std::chrono::seconds(15)), Client::Repeat::kYes,
                  [&](auto answer) {
                    done = answer.has_value();
                    loop.stop();
                  });
    });
    loop.run();
    ASSERT_TRUE(done);
  }
  void put(std::string_view key, std::string_view value) { ask("kv/put", key, value); }
  void remove(std::string_view key) { ask("kv/deleterange", key, ""); }
  template <class Done>
  static bool until(Done done) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (!done()) {
      if (limit.passed()) return false;
      std::this_thread::yield();
    }
    return true;
  }

  remote::etcd::Server server_;
};

TEST_F(EtcdConfig, gives_what_is_below_its_prefix_and_sees_what_changes) {
  put("shop/currency", "EUR");
  put("shop/gone", "soon");
  put("shopping", "somebody else's");
  auto source = etcd_source(settings_for(server_.port()), "shop/");
  auto opened = source->open();
  ASSERT_TRUE(opened.has_value()) << opened.error().message();
  EXPECT_EQ(source->get("currency"), "EUR");
  EXPECT_EQ(source->get("gone"), "soon");
  EXPECT_EQ(source->get("ping"), std::nullopt);
  put("shop/currency", "USD");
  EXPECT_TRUE(until([&] { return source->get("currency") == "USD"; }));
  remove("shop/gone");
  EXPECT_TRUE(until([&] { return source->get("gone") == std::nullopt; }));
}

TEST_F(EtcdConfig, the_values_hold_while_etcd_is_gone_and_change_when_it_is_back) {
  put("shop/currency", "EUR");
  auto source = etcd_source(settings_for(server_.port()), "shop/");
  ASSERT_TRUE(source->open().has_value());
  server_.kill();
  EXPECT_EQ(source->get("currency"), "EUR");
  server_.start();
  put("shop/currency", "USD");
  EXPECT_TRUE(until([&] { return source->get("currency") == "USD"; }));
}

TEST_F(EtcdConfig, what_is_no_value_is_refused_at_start_and_passed_over_later) {
  put("shop/currency", "\xff\xfe");
  auto source = etcd_source(settings_for(server_.port()), "shop/");
  auto refused = source->open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::kCorrupt);
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("\xff")));
  put("shop/currency", "EUR");
  auto good = etcd_source(settings_for(server_.port()), "shop/");
  ASSERT_TRUE(good->open().has_value());
  put("shop/large", std::string(kValueBytesMax + 1, 'x'));
  put("shop/currency", "USD");
  remove("shop/large");
  EXPECT_TRUE(until([&] { return good->get("currency") == "USD"; }));
  EXPECT_EQ(good->get("large"), std::nullopt);
}

TEST_F(EtcdConfig, a_server_that_is_not_there_is_an_error_at_start) {
  auto source = etcd_source(settings_for(remote::free_port()), "shop/");
  auto opened = source->open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), Errc::kUnavailable);
}

TEST_F(EtcdConfig, the_operators_file_chooses_it_by_name) {
  put("weft/config/currency", "EUR");
  ConfigCapability capability;
  DriverChoice choice{"etcd", {{"url", Secret(settings_for(server_.port()).servers[0])}}};
  EXPECT_TRUE(capability.connect("currency", choice).has_value());
  // Without asking a server only the settings can be wrong.
  DriverChoice gone{"etcd", {{"url", Secret("http://127.0.0.1:1")}}};
  EXPECT_TRUE(capability.look(gone).has_value());
  EXPECT_EQ(capability.connect("currency", gone).error().code(), Errc::kUnavailable);
  DriverChoice wrong{"etcd", {{"url", Secret("etcd://x")}}};
  auto why = capability.look(wrong);
  ASSERT_FALSE(why.has_value());
  EXPECT_THAT(why.error().message(), HasSubstr("http://"));
}

}  // namespace
}  // namespace weft::config
