// Shows a connection to a server: what is sent comes back, through faults, over TLS with the right
// authority only; and that every end is told once.
#include "remote/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <optional>

#include "io/http/tls_client.h"
#include "io/http/tls_test_support.h"
#include "io/loop.h"
#include "remote/testing/fault_proxy.h"
#include "remote/testing/real_server.h"

namespace weft::remote {
namespace {

using http_test::MadeCertificate;
using http_test::TlsFolder;
using ::testing::HasSubstr;

// What the connection says, kept.
class Owner final : public ConnectionOwner {
 public:
  explicit Owner(Loop& loop) : loop_(loop) {}
  void connected() override {
    up = true;
    loop_.stop();
  }
  Result<std::size_t> received(BytesView bytes) override {
    got.append(as_text(bytes));
    loop_.stop();
    return bytes.size();
  }
  void broken(Error error) override {
    EXPECT_FALSE(why.has_value());
    why = std::move(error);
    loop_.stop();
  }
  bool up = false;
  std::string got;
  std::optional<Error> why;

 private:
  Loop& loop_;
};

// OpenSSL's own server, which sends back what it gets, each line reversed.
std::vector<std::string> echo(const TlsFiles& files, std::uint16_t port) {
  return {"openssl", "s_server",        "-quiet", "-rev",   "-accept", std::to_string(port),
          "-cert",   files.certificate, "-key",   files.key};
}

class ConnectionTest : public ::testing::Test {
 protected:
  ~ConnectionTest() override {
    if (connection_ != nullptr) connection_->close();
  }
  template <class Done>
  bool until(Done done) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (!done()) {
      if (limit.passed()) return false;
      loop_.context().restart();
      loop_.context().run_for(std::chrono::milliseconds(50));
    }
    return true;
  }
  void open(std::uint16_t port, std::shared_ptr<const TlsClient> tls, std::string host) {
    connection_ = Connection::open(loop_, {std::move(host), port, std::move(tls)}, owner_);
  }
  void send(std::string_view text) {
    connection_->out().append(text);
    connection_->flush();
  }

  Loop loop_;
  Owner owner_{loop_};
  TlsFolder folder_;
  std::shared_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, SaysThatNobodyListens) {
  open(free_port(), nullptr, "127.0.0.1");
  EXPECT_FALSE(owner_.why.has_value());
  ASSERT_TRUE(until([&] { return owner_.why.has_value(); }));
  EXPECT_EQ(owner_.why->code(), Errc::kUnavailable);
  EXPECT_THAT(owner_.why->message(), HasSubstr("refused"));
}

TEST_F(ConnectionTest, SaysThatANameIsNone) {
  open(1, nullptr, "no.such.name.invalid");
  ASSERT_TRUE(until([&] { return owner_.why.has_value(); }));
  EXPECT_THAT(owner_.why->message(), HasSubstr("no.such.name.invalid:1: "));
}

TEST_F(ConnectionTest, SpeaksTlsWithWhomItTrusts) {
  MadeCertificate made("localhost");
  TlsFiles files = folder_.put(made);
  RealServer server([&](std::uint16_t port, const std::string&) { return echo(files, port); });
  auto tls = TlsClient::make(files.certificate);
  ASSERT_TRUE(tls.has_value());
  open(server.port(), *tls, "localhost");
  ASSERT_TRUE(until([&] { return owner_.up; })) << owner_.why->message();
  send("abc\n");
  ASSERT_TRUE(until([&] { return owner_.got == "cba\n"; }));
  server.kill();
  ASSERT_TRUE(until([&] { return owner_.why.has_value(); }));
}

TEST_F(ConnectionTest, ReadsNothingWhileItIsPaused) {
  MadeCertificate made("localhost");
  TlsFiles files = folder_.put(made);
  RealServer server([&](std::uint16_t port, const std::string&) { return echo(files, port); });
  open(server.port(), *TlsClient::make(files.certificate), "localhost");
  ASSERT_TRUE(until([&] { return owner_.up; })) << owner_.why->message();
  for (const char* line : {"abc\n", "def\n"}) {
    connection_->pause();
    send(line);
    std::string before = owner_.got;
    Deadline limit = Deadline::after(std::chrono::milliseconds(100));
    until([&] { return limit.passed(); });
    EXPECT_EQ(owner_.got, before);
    connection_->resume();
    EXPECT_TRUE(until([&] { return owner_.got.size() > before.size(); }));
  }
  EXPECT_EQ(owner_.got, "cba\nfed\n");
}

TEST_F(ConnectionTest, RefusesAServerThatItDoesNotTrust) {
  MadeCertificate made("localhost");
  TlsFiles files = folder_.put(made);
  std::string other = folder_.put("other.pem", MadeCertificate("localhost").certificate);
  RealServer server([&](std::uint16_t port, const std::string&) { return echo(files, port); });
  open(server.port(), *TlsClient::make(other), "localhost");
  ASSERT_TRUE(until([&] { return owner_.why.has_value(); }));
  EXPECT_FALSE(owner_.up);
  EXPECT_THAT(owner_.why->message(), HasSubstr("the server's certificate"));
}

TEST_F(ConnectionTest, RefusesACertificateForAnotherName) {
  MadeCertificate made("somewhere.example");
  TlsFiles files = folder_.put(made);
  RealServer server([&](std::uint16_t port, const std::string&) { return echo(files, port); });
  open(server.port(), *TlsClient::make(files.certificate), "localhost");
  ASSERT_TRUE(until([&] { return owner_.why.has_value(); }));
  EXPECT_FALSE(owner_.up);
  EXPECT_THAT(owner_.why->message(), HasSubstr("ostname"));
}

TEST_F(ConnectionTest, CarriesMoreThanTheSocketsHold) {
  MadeCertificate made("localhost");
  TlsFiles files = folder_.put(made);
  RealServer server([&](std::uint16_t port, const std::string&) { return echo(files, port); });
  FaultProxy proxy(server.port());
  open(proxy.port(), *TlsClient::make(files.certificate), "localhost");
  ASSERT_TRUE(until([&] { return owner_.up; }));
  // OpenSSL's server takes lines of up to 16 KiB.
  std::string line(8'000, 'x');
  std::string all;
  for (int i = 0; i < 1'000; ++i) all += line + "\n";
  send(all);
  ASSERT_TRUE(until([&] { return owner_.got.size() >= all.size(); })) << owner_.got.size();
  EXPECT_TRUE(owner_.got == all);
}

TEST_F(ConnectionTest, FindsAFileOfAuthoritiesThatIsNone) {
  EXPECT_EQ(TlsClient::make("/no/such/file").error().code(), Errc::kNotFound);
  auto wrong = TlsClient::make(folder_.put("wrong.pem", "nothing"));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().message(), HasSubstr("wrong.pem"));
}

}  // namespace
}  // namespace weft::remote
