// Shows what the client of NATS does over a real server: requests and answers, subscriptions, each
// way to log in, TLS that begins after the greeting, and a server that goes and comes.
#include "remote/nats/client.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/check.h"
#include "io/http/tls_client.h"
#include "io/http/tls_test_support.h"
#include "io/loop.h"
#include "remote/nats/access.h"
#include "remote/nats/nkey.h"
#include "remote/nats/testing.h"
#include "remote/testing/fault_proxy.h"

namespace weft::remote::nats {
namespace {

using http_test::MadeCertificate;
using http_test::TlsFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Fault = FaultProxy::Fault;
using Repeat = Client::Repeat;

class NatsClient : public ::testing::Test {
 protected:
  static Settings settings_for(std::uint16_t port) {
    Settings settings;
    settings.endpoints = {{"127.0.0.1", port}};
    settings.silence = std::chrono::milliseconds(1'500);
    return settings;
  }
  std::shared_ptr<Client> client(Settings settings) {
    return std::make_shared<Client>(loop_, std::make_shared<const Settings>(std::move(settings)));
  }
  std::shared_ptr<Client> client(std::uint16_t port) { return client(settings_for(port)); }

  template <class Done>
  bool until(Done done) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (!done()) {
      if (limit.passed()) return false;
      loop_.context().restart();
      loop_.context().run_for(std::chrono::milliseconds(10));
    }
    return true;
  }
  Result<Message> ask(Client& client, std::string_view subject, std::string_view text = "",
                      std::chrono::milliseconds time = std::chrono::seconds(15)) {
    std::optional<Result<Message>> answer;
    loop_.post([&] {
      Loop::Turn turn(loop_);
      client.request({std::string(subject), {}, to_bytes(text)}, Deadline::after(time), Repeat::kNo,
                     [&](Result<Message> got) { answer = std::move(got); });
    });
    CHECK(until([&] { return answer.has_value(); }));
    return *std::move(answer);
  }
  // Answers what comes to `subject` with the text that came, twice.
  static void echo(Client& client, std::string_view subject) {
    auto added = client.subscribe(subject, "", [&client](Message message) {
      Bytes twice = message.payload;
      twice.insert(twice.end(), message.payload.begin(), message.payload.end());
      client.publish({message.reply, {{"Of", message.subject}}, std::move(twice)});
    });
    ASSERT_TRUE(added.has_value());
  }
  std::string text_of(const Result<Message>& message) {
    if (!message) return "(error) " + message.error().message();
    return fmt::format("{} {}", message->headers.status, as_text(message->payload));
  }

  Loop loop_;
  TlsFolder folder_;
};

TEST_F(NatsClient, AsksAndIsAnswered) {
  auto one = client(shared_server().port());
  echo(*one, "twice.*");
  EXPECT_EQ(text_of(ask(*one, "twice.a", "ab")), "0 abab");
  auto answer = ask(*one, "twice.b", std::string("\0\r\n", 3));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(as_text(answer->payload), std::string_view("\0\r\n\0\r\n", 6));
  ASSERT_NE(answer->headers.find("Of"), nullptr);
  EXPECT_EQ(*answer->headers.find("Of"), "twice.b");
}

TEST_F(NatsClient, TakesSeveralAnswersUntilItHasEnough) {
  auto one = client(shared_server().port());
  auto added = one->subscribe("count", "", [&](Message message) {
    for (int i = 0; i < 5; ++i) one->publish({message.reply, {}, to_bytes(std::to_string(i))});
  });
  ASSERT_TRUE(added.has_value());
  for (std::size_t enough : {std::size_t{5}, std::size_t{3}}) {
    std::vector<std::string> got;
    bool done = false;
    loop_.post([&] {
      Loop::Turn turn(loop_);
      one->request(
          {"count", {}, {}}, Deadline::after(std::chrono::seconds(15)),
          [&](Message message) {
            got.emplace_back(as_text(message.payload));
            return got.size() < enough;
          },
          [&](Result<Message> last) { done = last.has_value(); });
    });
    ASSERT_TRUE(until([&] { return done; }));
    EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
    EXPECT_EQ(got.size(), enough);
    EXPECT_EQ(got.back(), std::to_string(enough - 1));
  }
}

TEST_F(NatsClient, SaysWhenTheServerHasWhatIsPublished) {
  auto one = client(shared_server().port());
  auto other = client(shared_server().port());
  std::vector<std::string> came;
  auto added = other->subscribe("news.*", "", [&](Message message) {
    came.push_back(message.reply + "=" + std::string(as_text(message.payload)));
  });
  ASSERT_TRUE(added.has_value());
  EXPECT_EQ(text_of(ask(*other, "nobody.here")), "503 ");
  std::vector<std::string> told;
  loop_.post([&] {
    Loop::Turn turn(loop_);
    for (const char* subject : {"news.1", "not a subject", "news.2"}) {
      one->publish({subject, {}, to_bytes(subject)}, "back", Deadline::after(kAnswerMax),
                   [&](Result<void> done) {
                     told.push_back(done ? "ok" : std::string(to_string(done.error().code())));
                   });
    }
  });
  ASSERT_TRUE(until([&] { return told.size() == 3 && came.size() == 2; }));
  EXPECT_THAT(told, UnorderedElementsAre("ok", "ok", "invalid"));
  EXPECT_THAT(came, ElementsAre("back=news.1", "back=news.2"));
}

TEST_F(NatsClient, SaysWhetherTheServerIsThere) {
  for (auto [port, there] : {std::pair{shared_server().port(), true}, {free_port(), false}}) {
    auto one = client(port);
    std::optional<Result<void>> told;
    loop_.post([&] {
      Loop::Turn turn(loop_);
      one->reach(Deadline::after(kAnswerMax), [&](Result<void> done) { told = std::move(done); });
    });
    ASSERT_TRUE(until([&] { return told.has_value(); }));
    EXPECT_EQ(told->has_value(), there);
  }
}

TEST_F(NatsClient, DoesNotKnowWhetherTheServerHasWhatWasPublishedWhenItIsGone) {
  RealServer server(server_command);
  auto one = client(server.port());
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
  server.freeze();
  std::optional<Result<void>> told;
  loop_.post([&] {
    Loop::Turn turn(loop_);
    one->publish({"news", {}, {}}, "", Deadline::after(kAnswerMax),
                 [&](Result<void> done) { told = std::move(done); });
  });
  ASSERT_TRUE(until([&] { return told.has_value(); }));
  ASSERT_FALSE(told->has_value());
  EXPECT_EQ(told->error().code(), Errc::kUnavailable);
  EXPECT_THAT(told->error().message(), HasSubstr("not known"));
  server.thaw();
}

TEST_F(NatsClient, IsToldAtOnceThatNobodyListens) {
  auto one = client(shared_server().port());
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
}

TEST_F(NatsClient, RefusesASubjectThatIsNoneAndAMessageThatIsTooLarge) {
  auto one = client(shared_server().port());
  for (std::string_view subject : {"", "a b", "a.*", "a\r\nPING", "a..b"}) {
    EXPECT_EQ(ask(*one, subject).error().code(), Errc::kInvalid) << subject;
  }
  EXPECT_EQ(ask(*one, std::string(kSubjectBytesMax + 1, 'a')).error().code(), Errc::kInvalid);
  auto large = ask(*one, "a", std::string((1 << 20) + 1, 'x'));
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code(), Errc::kInvalid);
  EXPECT_THAT(large.error().message(), HasSubstr("max_payload"));
  // The connection is none the worse for it.
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
}

TEST_F(NatsClient, HearsWhatItSubscribedToAndNothingAfterwards) {
  auto one = client(shared_server().port());
  auto other = client(shared_server().port());
  std::vector<std::string> heard;
  auto id =
      one->subscribe("news.>", "", [&](Message message) { heard.push_back(message.subject); });
  ASSERT_TRUE(id.has_value());
  EXPECT_FALSE(one->subscribe("a b", "", {}).has_value());
  // Connected, and the server knows the subscription.
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
  EXPECT_EQ(text_of(ask(*other, "nobody.here")), "503 ");
  other->publish({"news.a.b", {}, {}});
  other->publish({"olds", {}, {}});
  other->publish({"news.c", {}, {}});
  ASSERT_TRUE(until([&] { return heard.size() >= 2; }));
  one->unsubscribe(*id);
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
  other->publish({"news.d", {}, {}});
  EXPECT_EQ(text_of(ask(*other, "nobody.here")), "503 ");
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
  EXPECT_THAT(heard, ::testing::ElementsAre("news.a.b", "news.c"));
}

TEST_F(NatsClient, OneOfAQueueHearsEachMessage) {
  auto one = client(shared_server().port());
  auto other = client(shared_server().port());
  int first = 0;
  int second = 0;
  ASSERT_TRUE(one->subscribe("work", "all", [&](Message) { ++first; }).has_value());
  ASSERT_TRUE(other->subscribe("work", "all", [&](Message) { ++second; }).has_value());
  ask(*one, "nobody.here");
  ask(*other, "nobody.here");
  for (int i = 0; i < 100; ++i) one->publish({"work", {}, {}});
  ASSERT_TRUE(until([&] { return first + second >= 100; }));
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
  EXPECT_EQ(text_of(ask(*other, "nobody.here")), "503 ");
  EXPECT_EQ(first + second, 100);
}

TEST_F(NatsClient, SubscribesAgainWhenTheServerComesBack) {
  RealServer server(server_command);
  auto one = client(server.port());
  echo(*one, "twice");
  EXPECT_EQ(text_of(ask(*one, "twice", "a")), "0 aa");
  server.kill();
  EXPECT_THAT(text_of(ask(*one, "twice", "b")), HasSubstr("(error)"));
  server.start();
  // Nobody asks: the subscription alone brings the connection back.
  auto other = client(server.port());
  ASSERT_TRUE(until([&] { return text_of(ask(*other, "twice", "c")) == "0 cc"; }));
}

TEST_F(NatsClient, AFrozenServerIsGivenUpAlsoWhileRequestsKeepComing) {
  RealServer server(server_command);
  auto one = client(server.port());
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
  server.freeze();
  int failed = 0;
  Deadline limit = Deadline::after(std::chrono::seconds(15));
  while (failed == 0 && !limit.passed()) {
    one->request({"nobody.here", {}, {}}, Deadline::after(std::chrono::seconds(15)), Repeat::kNo,
                 [&](Result<Message> answer) {
                   if (answer.has_value()) return;  // It was not frozen yet.
                   EXPECT_EQ(answer.error().code(), Errc::kUnavailable);
                   ++failed;
                 });
    loop_.context().restart();
    loop_.context().run_for(std::chrono::milliseconds(5));
  }
  EXPECT_GT(failed, 0);
  server.thaw();
  ASSERT_TRUE(until([&] { return text_of(ask(*one, "nobody.here")) == "503 "; }));
}

TEST_F(NatsClient, AnAnswerThatNeverComesIsNoReasonToGiveUpTheServer) {
  FaultProxy proxy(shared_server().port());
  auto one = client(proxy.port());
  auto quiet = one->subscribe("quiet", "", [](Message) {});
  ASSERT_TRUE(quiet.has_value());
  auto answer = ask(*one, "quiet", "", std::chrono::milliseconds(1'000));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), Errc::kTimeout);
  EXPECT_EQ(proxy.connections(), 1U);
}

TEST_F(NatsClient, TriesTheOtherServersOfTheCluster) {
  Settings settings = settings_for(free_port());
  settings.endpoints.push_back({"127.0.0.1", shared_server().port()});
  auto one = client(std::move(settings));
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
}

TEST_F(NatsClient, LogsInWithUserTokenOrKey) {
  constexpr std::string_view kSeed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
  std::string key = Nkey::from_seed(kSeed)->public_key();
  RealServer users(server_with(fmt::format(
      "authorization {{ users = [ {{user: me, password: s3cret}}, {{nkey: {}}} ] }}", key)));
  auto wrong = [](Settings settings) {
    settings.user = "me";
    settings.password = Secret("wr0ng");
    return settings;
  };
  Settings named = settings_for(users.port());
  named.user = "me";
  named.password = Secret("s3cret");
  EXPECT_EQ(text_of(ask(*client(named), "nobody.here")), "503 ");
  Settings keyed = settings_for(users.port());
  keyed.seed = Secret(std::string(kSeed));
  EXPECT_EQ(text_of(ask(*client(keyed), "nobody.here")), "503 ");
  auto refused = ask(*client(wrong(settings_for(users.port()))), "nobody.here");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::kDenied);
  EXPECT_THAT(refused.error().message(), ::testing::Not(HasSubstr("wr0ng")));
  RealServer tokens(server_with("authorization { token: t0ken }"));
  Settings token = settings_for(tokens.port());
  token.token = Secret("t0ken");
  EXPECT_EQ(text_of(ask(*client(token), "nobody.here")), "503 ");
  EXPECT_EQ(ask(*client(tokens.port()), "nobody.here").error().code(), Errc::kDenied);
}

TEST_F(NatsClient, IsToldWhatItMayNotPublish) {
  RealServer server(server_with(
      "authorization { users = [ {user: me, password: x, permissions: {publish: {deny: \"no.>\"}}}"
      " ] }"));
  Settings settings = settings_for(server.port());
  settings.user = "me";
  settings.password = Secret("x");
  auto one = client(settings);
  auto denied = ask(*one, "no.way");
  ASSERT_FALSE(denied.has_value());
  EXPECT_EQ(denied.error().code(), Errc::kDenied);
  EXPECT_THAT(denied.error().message(), HasSubstr("no.way"));
  EXPECT_EQ(text_of(ask(*one, "some.way")), "503 ");
}

TEST_F(NatsClient, BeginsTlsWhereTheServerWantsIt) {
  MadeCertificate made("localhost");
  TlsFiles files = folder_.put(made);
  RealServer server(server_with(
      fmt::format("tls {{ cert_file: \"{}\", key_file: \"{}\" }}", files.certificate, files.key)));
  Settings settings = settings_for(server.port());
  settings.endpoints = {{"localhost", server.port()}};
  auto plain = ask(*client(settings), "nobody.here");
  ASSERT_FALSE(plain.has_value());
  EXPECT_THAT(plain.error().message(), HasSubstr("tls://"));
  settings.tls_needed = true;
  settings.tls = *TlsClient::make(files.certificate);
  auto one = client(settings);
  EXPECT_EQ(text_of(ask(*one, "nobody.here")), "503 ");
  echo(*one, "twice");
  std::string large(300'000, 'x');
  EXPECT_EQ(text_of(ask(*one, "twice", large)), "0 " + large + large);
  settings.tls = *TlsClient::make(folder_.put("other.pem", MadeCertificate("x").certificate));
  EXPECT_THAT(text_of(ask(*client(settings), "nobody.here")), HasSubstr("certificate"));
  Settings other = settings_for(shared_server().port());
  other.tls_needed = true;
  other.tls = settings.tls;
  auto none = ask(*client(other), "nobody.here");
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message(), HasSubstr("it speaks no TLS"));
}

TEST_F(NatsClient, ReadsWhereAndWhoFromAnOperatorsSettings) {
  auto read = read_access({.url = Secret("nats://me:pass@one,nats://two:1234")});
  ASSERT_TRUE(read.has_value()) << read.error().message();
  ASSERT_EQ(read->endpoints.size(), 2U);
  EXPECT_EQ(read->endpoints[0].text(), "one:4222");
  EXPECT_EQ(read->endpoints[1].text(), "two:1234");
  EXPECT_EQ(read->user, "me");
  EXPECT_EQ(read->password.reveal(), "pass");
  EXPECT_FALSE(read->tls_needed);
  EXPECT_EQ(read_access({.url = Secret("nats://t0ken@one")})->token.reveal(), "t0ken");
  EXPECT_NE(read_access({.url = Secret("tls://one")})->tls, nullptr);
  auto why = [](Access access) {
    auto settings = read_access(access);
    return settings ? std::string("fine") : settings.error().message();
  };
  EXPECT_THAT(why({}), HasSubstr("nats://HOST:4222"));
  EXPECT_THAT(why({.url = Secret("redis://x")}), HasSubstr("nats://"));
  EXPECT_THAT(why({.url = Secret("nats://x/1")}), HasSubstr("path"));
  EXPECT_THAT(why({.url = Secret("nats://x,tls://y")}), HasSubstr("all"));
  EXPECT_THAT(why({.url = Secret("nats://x"), .ca_file = "ca.pem"}), HasSubstr("tls://"));
  EXPECT_THAT(why({.url = Secret("tls://x"), .ca_file = "/no/ca.pem"}), HasSubstr("/no/ca.pem"));
  EXPECT_THAT(why({.url = Secret("nats://x"), .nkey = Secret("SUX")}), HasSubstr("SU"));
  EXPECT_THAT(why({.url = Secret("nats://x"), .credentials_file = "/no/creds"}),
              HasSubstr("/no/creds"));
  EXPECT_THAT(why({.url = Secret("nats://x"), .timeout = std::chrono::milliseconds(1)}),
              HasSubstr("at least"));
}

}  // namespace
}  // namespace weft::remote::nats
