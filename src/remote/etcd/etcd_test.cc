// Shows what the client of etcd does over a real server: answers and errors, logging in, a server
// that goes and comes, and a watch that misses nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include "base/check.h"
#include "io/loop.h"
#include "io/timer.h"
#include "remote/base64.h"
#include "remote/etcd/client.h"
#include "remote/etcd/testing.h"
#include "remote/etcd/watch.h"
#include "remote/testing/fault_proxy.h"

namespace weft::remote::etcd {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Fault = FaultProxy::Fault;
using Repeat = Client::Repeat;

class EtcdClient : public ::testing::Test {
 protected:
  static Settings settings_for(std::uint16_t port) {
    return {.servers = {fmt::format("http://127.0.0.1:{}", port)},
            .timeout = std::chrono::seconds(3)};
  }
  std::shared_ptr<Client> client(Settings settings) {
    return std::make_shared<Client>(loop_, std::make_shared<const Settings>(std::move(settings)));
  }
  std::shared_ptr<Client> client(std::uint16_t port) { return client(settings_for(port)); }

  template <class Done>
  bool until(Done done) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    Timer look(loop_, [&] { loop_.stop(); });
    while (!done()) {
      if (limit.passed()) return false;
      look.arm(Deadline::after(std::chrono::milliseconds(10)));
      loop_.context().restart();
      loop_.run();
    }
    return true;
  }
  Result<json::object> ask(Client& client, std::string_view path, std::string body,
                           Repeat repeat = Repeat::kYes,
                           std::chrono::milliseconds time = std::chrono::seconds(15)) {
    std::optional<Result<json::object>> answer;
    loop_.post([&] {
      Loop::Turn turn(loop_);
      client.ask(path, body, Deadline::after(time), repeat,
                 [&](Result<json::object> got) { answer = std::move(got); });
    });
    CHECK(until([&] { return answer.has_value(); }));
    return *std::move(answer);
  }
  static std::string key_value(std::string_view key, std::string_view value) {
    return fmt::format(R"({{"key":"{}","value":"{}"}})", base64(as_bytes(key)),
                       base64(as_bytes(value)));
  }
  std::uint64_t put(Client& client, std::string_view key, std::string_view value) {
    auto answer = ask(client, "kv/put", key_value(key, value), Repeat::kNo);
    CHECK(answer.has_value());
    return number_in(*object_in(*answer, "header"), "revision");
  }
  std::string get(Client& client, std::string_view key) {
    auto answer = ask(client, "kv/range", fmt::format(R"({{"key":"{}"}})", base64(as_bytes(key))));
    if (!answer) return "(error) " + answer.error().message();
    const json::array* found = array_in(*answer, "kvs");
    if (found == nullptr) return "(none)";
    return std::string(as_text(*bytes_in(found->front().get_object(), "value")));
  }

  Loop loop_;
};

TEST_F(EtcdClient, AsksAndIsAnswered) {
  auto one = client(shared_server().port());
  put(*one, std::string_view("a\0b", 3), "v");
  EXPECT_EQ(get(*one, std::string_view("a\0b", 3)), "v");
  EXPECT_EQ(get(*one, "a"), "(none)");
}

TEST_F(EtcdClient, TellsEtcdsErrorsApart) {
  auto one = client(shared_server().port());
  auto wrong = ask(*one, "kv/range", R"({"key":""})");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code(), Errc::kInvalid);
  EXPECT_THAT(wrong.error().message(), HasSubstr("key is not provided"));
  auto large = ask(*one, "kv/put", key_value("k", std::string(2 << 20, 'x')), Repeat::kNo);
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code(), Errc::kInvalid);
  EXPECT_EQ(ask(*one, "no/such", "{}").error().code(), Errc::kCorrupt);
}

TEST_F(EtcdClient, TriesTheOtherServersOfTheCluster) {
  Settings settings = settings_for(free_port());
  settings.servers.push_back(settings_for(shared_server().port()).servers[0]);
  auto one = client(settings);
  put(*one, "k", "v");
  EXPECT_EQ(get(*one, "k"), "v");
}

TEST_F(EtcdClient, LogsInAndAgainWhenItsTokenEnds) {
  Server server;
  {
    auto root = client(server.port());
    for (auto [path, body] : {std::pair{"auth/user/add", R"({"name":"root","password":"s3cret"})"},
                              std::pair{"auth/role/add", R"({"name":"root"})"},
                              std::pair{"auth/user/grant", R"({"user":"root","role":"root"})"},
                              std::pair{"auth/enable", "{}"}}) {
      auto done = ask(*root, path, body, Repeat::kNo);
      ASSERT_TRUE(done.has_value()) << path << ": " << done.error().message();
    }
    EXPECT_EQ(ask(*root, "kv/put", key_value("k", "v")).error().code(), Errc::kDenied);
  }
  Settings settings = settings_for(server.port());
  settings.user = "root";
  settings.password = Secret("s3cret");
  auto one = client(settings);
  put(*one, "k", "v");
  EXPECT_EQ(get(*one, "k"), "v");
  // Its tokens are gone with it.
  server.kill();
  server.start();
  ASSERT_TRUE(until([&] { return get(*one, "k") == "v"; }));
  settings.password = Secret("wr0ng");
  auto refused = ask(*client(settings), "kv/range", R"({"key":"aw=="})");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::kDenied) << refused.error().message();
  EXPECT_THAT(refused.error().message(), ::testing::Not(HasSubstr("wr0ng")));
}

TEST_F(EtcdClient, ManyRequestsWaitForATurn) {
  auto one = client(shared_server().port());
  put(*one, "k", "v");
  int answered = 0;
  for (int i = 0; i < 500; ++i) {
    loop_.post([&] {
      Loop::Turn turn(loop_);
      one->ask("kv/range", R"({"key":"aw=="})", Deadline::after(std::chrono::seconds(15)),
               Repeat::kYes,
               [&](Result<json::object> got) { answered += got.has_value() ? 1 : 0; });
    });
  }
  EXPECT_TRUE(until([&] { return answered == 500; })) << answered;
}

// What a watch told, as text.
struct Told {
  std::vector<std::string> events;
  int lost = 0;
  Watch::Listener listener() {
    return {[this](std::vector<Event> changed) {
              for (const Event& each : changed) {
                events.push_back(
                    each.key + (each.value ? "=" + std::string(as_text(*each.value)) : " deleted"));
              }
            },
            [this] { ++lost; }};
  }
};

TEST_F(EtcdClient, AWatchTellsEachChangeOnceAlsoAcrossARestart) {
  Server server;
  auto one = client(server.port());
  std::uint64_t revision = put(*one, "w/a", "before");
  Told told;
  std::unique_ptr<Watch> watch;
  loop_.post([&] {
    Loop::Turn turn(loop_);
    watch = std::make_unique<Watch>(one, "w/", end_of_prefix("w/"), revision, told.listener());
  });
  put(*one, "w/a", "1");
  put(*one, "x", "somebody else's");
  ASSERT_TRUE(ask(*one, "kv/deleterange", R"({"key":"dy9h"})", Repeat::kNo).has_value());
  ASSERT_TRUE(until([&] { return told.events.size() >= 2; }));
  EXPECT_THAT(told.events, ElementsAre("w/a=1", "w/a deleted"));
  server.kill();
  server.start();
  ASSERT_TRUE(until([&] { return !get(*one, "x").starts_with("(error)"); }));
  put(*one, "w/b", "after");
  ASSERT_TRUE(until([&] { return told.events.size() >= 3; }));
  EXPECT_THAT(told.events, ElementsAre("w/a=1", "w/a deleted", "w/b=after"));
  EXPECT_EQ(told.lost, 0);
}

TEST_F(EtcdClient, AWatchSaysWhenEtcdHasForgottenWhatChanged) {
  auto one = client(shared_server().port());
  std::uint64_t first = put(*one, "f/a", "1");
  std::uint64_t last = put(*one, "f/a", "2");
  ASSERT_TRUE(ask(*one, "kv/compaction", fmt::format(R"({{"revision":"{}"}})", last), Repeat::kNo));
  Told told;
  std::unique_ptr<Watch> watch;
  loop_.post([&] {
    Loop::Turn turn(loop_);
    watch = std::make_unique<Watch>(one, "f/", end_of_prefix("f/"), first - 1, told.listener());
  });
  ASSERT_TRUE(until([&] { return told.lost > 0; }));
  EXPECT_EQ(told.lost, 1);
  // And goes on from there.
  auto goes_on = [&] {
    put(*one, "f/b", "3");
    return !told.events.empty();
  };
  ASSERT_TRUE(until(goes_on));
  EXPECT_EQ(told.events.front(), "f/b=3");
}

TEST(EtcdSettings, AreRead) {
  auto read = read_access({.url = Secret("https://me:pass@one,https://two:1")});
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_THAT(read->servers, ElementsAre("https://one:2379", "https://two:1"));
  EXPECT_EQ(read->user, "me");
  EXPECT_EQ(read->password.reveal(), "pass");
  auto why = [](Access access) {
    auto settings = read_access(access);
    return settings ? std::string("fine") : settings.error().message();
  };
  EXPECT_THAT(why({}), HasSubstr("http://HOST:2379"));
  EXPECT_THAT(why({.url = Secret("etcd://x")}), HasSubstr("https://"));
  EXPECT_THAT(why({.url = Secret("http://x/v3")}), HasSubstr("path"));
  EXPECT_THAT(why({.url = Secret("http://x"), .ca_file = "ca.pem"}), HasSubstr("https://"));
  EXPECT_THAT(why({.url = Secret("https://x"), .ca_file = "/no/ca.pem"}), HasSubstr("/no/ca.pem"));
  EXPECT_THAT(why({.url = Secret("http://x"), .password = Secret("p")}), HasSubstr("username"));
}

TEST(EtcdPrefix, EndsBehindAllThatBeginsWithIt) {
  EXPECT_EQ(end_of_prefix("a/"), "a0");
  EXPECT_EQ(end_of_prefix("a\xff\xff"), "b");
  EXPECT_EQ(end_of_prefix("\xff"), std::string(1, '\0'));
}

}  // namespace
}  // namespace weft::remote::etcd
