// Shows what of the S3 driver is its own: settings, what others see in the bucket, large objects,
// and what becomes of requests when the server or the way to it fails.
#include "capabilities/blobstore/drivers/s3/s3.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "capabilities/blobstore/conformance.h"
#include "capabilities/blobstore/drivers/s3/server.h"
#include "io/http/tls_test_support.h"
#include "remote/testing/fault_proxy.h"

namespace weft::blobstore::s3 {
namespace {

using remote::FaultProxy;
using remote::RealServer;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Fault = FaultProxy::Fault;

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"s3"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  return choice;
}
DriverChoice with_keys(std::vector<std::pair<std::string, std::string>> settings) {
  settings.insert(settings.end(), {{"access-key-id", "id"}, {"secret-access-key", "s3cret"}});
  return choice(std::move(settings));
}

TEST(S3Settings, SayWhereTheBucketIs) {
  struct Case {
    std::vector<std::pair<std::string, std::string>> settings;
    std::string url;
  };
  for (const Case& each :
       {Case{{{"bucket", "b"}}, "https://b.s3.us-east-1.amazonaws.com"},
        Case{{{"bucket", "b"}, {"region", "eu-west-1"}}, "https://b.s3.eu-west-1.amazonaws.com"},
        Case{{{"bucket", "b.c"}}, "https://s3.us-east-1.amazonaws.com/b.c"},
        Case{{{"bucket", "b"}, {"url", "https://minio:9000/"}}, "https://minio:9000/b"},
        Case{{{"bucket", "b"}, {"url", "https://minio:443"}}, "https://minio/b"},
        Case{{{"bucket", "b"}, {"url", "http://[::1]:80/store"}}, "http://[::1]/store/b"}}) {
    auto settings = read_settings(with_keys(each.settings));
    ASSERT_TRUE(settings.has_value()) << settings.error().message();
    EXPECT_EQ(settings->scheme + "://" + settings->host + settings->path, each.url);
  }
  auto settings = read_settings(
      with_keys({{"bucket", "b"}, {"timeout", "2s"}, {"part-size", "16MiB"}, {"prefix", "a/"}}));
  EXPECT_EQ(settings->timeout, std::chrono::seconds(2));
  EXPECT_EQ(settings->part_bytes, std::size_t{16} << 20);
  EXPECT_EQ(settings->prefix, "a/");
  EXPECT_EQ(read_settings(with_keys({{"bucket", "b"}}))->prefix, std::nullopt);
}

TEST(S3Settings, SayWhatIsWrong) {
  for (auto [settings, what] :
       {std::pair{with_keys({}), "no bucket"},
        std::pair{with_keys({{"bucket", "a/b"}}), "no bucket"},
        std::pair{choice({{"bucket", "b"}}), "no keys"},
        std::pair{with_keys({{"bucket", "b"}, {"url", "ftp://x"}}), "https://"},
        std::pair{with_keys({{"bucket", "b"}, {"url", "https://me:pw@x"}}), "access-key-id"},
        std::pair{with_keys({{"bucket", "b"}, {"region", "a b"}}), "region"},
        std::pair{with_keys({{"bucket", "b"}, {"prefix", "a"}}), "prefix"},
        std::pair{with_keys({{"bucket", "b"}, {"part-size", "1MiB"}}), "part-size"},
        std::pair{with_keys({{"bucket", "b"}, {"timeout", "1ms"}}), "at least"},
        std::pair{with_keys({{"bucket", "b"}, {"ca-file", "/no/ca.pem"}}), "/no/ca.pem"},
        std::pair{with_keys({{"bucket", "b"}, {"url", "http://x"}, {"ca-file", "/a"}}), "TLS"}}) {
    auto read = read_settings(settings);
    ASSERT_FALSE(read.has_value()) << what;
    EXPECT_THAT(read.error().message(), HasSubstr(what));
    EXPECT_THAT(read.error().message(), Not(HasSubstr("pw")));
  }
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251 + seed);
  return text;
}

// A bucket of the shared server, with parts that are small.
class S3Bucket : public ::testing::Test {
 protected:
  static constexpr std::size_t kPart = 128 << 10;

  explicit S3Bucket(std::optional<std::string> prefix = {}) {
    Settings settings = settings_for(port_, bucket_);
    settings.part_bytes = kPart;
    settings.prefix = std::move(prefix);
    backend_ = s3_backend(std::move(settings));
    hand_.emplace(*backend_);
  }

  Hand& hand() { return *hand_; }
  // All keys in the bucket, as others list them.
  std::string keys() { return ask(port_, "GET", "/" + bucket_, {{"list-type", "2"}}); }
  std::string uploads() { return ask(port_, "GET", "/" + bucket_, {{"uploads", ""}}); }
  // Runs the loop until no upload is under way.
  bool aborted() {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (uploads().find("<UploadId>") != std::string::npos && !limit.passed()) {
      hand().get(*hand().open("c"), "nothing");
    }
    return !limit.passed();
  }

  std::uint16_t port_ = shared_server().port();
  std::string bucket_ = new_bucket(port_);
  std::unique_ptr<Backend> backend_;
  std::optional<Hand> hand_;
};

// A web server, a proxy's page: what was never kept is not acknowledged.
TEST(S3Bucketless, WhatSaysYesToEverythingIsNoS3) {
  RealServer server([](std::uint16_t port, const std::string&) {
    return std::vector<std::string>{
        "/usr/bin/python3", "-c",
        "import http.server, sys\n"
        "class Yes(http.server.BaseHTTPRequestHandler):\n"
        "  def do_PUT(self):\n"
        "    self.rfile.read(int(self.headers['content-length']))\n"
        "    self.send_response(200)\n"
        "    self.send_header('content-length', '0')\n"
        "    self.end_headers()\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Yes).serve_forever()\n",
        std::to_string(port)};
  });
  Settings settings = settings_for(server.port(), "b");
  settings.prefix = "";
  auto backend = s3_backend(std::move(settings));
  Hand hand(*backend);
  auto c = hand.open("c");
  ASSERT_NE(c, nullptr);
  auto writer = hand.wait(c->write(hand.request(), "o"));
  ASSERT_TRUE(writer.has_value());
  ASSERT_TRUE(hand.wait((*writer)->write(hand.request(), to_bytes("x"))).has_value());
  auto done = hand.wait((*writer)->commit(hand.request()));
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message(), HasSubstr("it is no S3"));
}

TEST_F(S3Bucket, OrdinaryNamesAreWhatOthersSee) {
  auto c = hand().create("c");
  hand().put(*c, "photos/cat 1.jpg", "meow");
  EXPECT_EQ(ask(port_, "GET", "/" + bucket_ + "/app/c/photos/cat 1.jpg"), "meow");
  ask(port_, "PUT", "/" + bucket_ + "/app/c/theirs", {}, "hello");
  ask(port_, "PUT", "/" + bucket_ + "/app/c/folder/", {}, "");
  EXPECT_EQ(hand().get(*c, "theirs"), "hello");
  // A name that weft would spell otherwise is none of its.
  EXPECT_THAT(hand().names(*c), ElementsAre("photos/cat 1.jpg", "theirs"));
  ASSERT_TRUE(hand().wait(hand().store().remove(hand().request(), {"app", "c"})).has_value());
  EXPECT_THAT(keys(), Not(HasSubstr("<Key>")));
}

TEST_F(S3Bucket, ALargeObjectIsMadeOfParts) {
  auto c = hand().create("c");
  for (std::size_t size : {kPart - 1, kPart, kPart + 1, 2 * kPart, 5 * kPart + 77}) {
    std::string text = pattern(size, 3);
    auto writer = *hand().wait(c->write(hand().request(), "o"));
    // Pieces of every size, so that parts begin within them.
    for (std::size_t at = 0, piece = 1; at < size; at += piece, piece = piece * 3 % 65'537) {
      auto written = hand().wait(writer->write(hand().request(), to_bytes(text.substr(at, piece))));
      ASSERT_TRUE(written.has_value()) << written.error().message();
    }
    auto done = hand().wait(writer->commit(hand().request()));
    ASSERT_TRUE(done.has_value()) << done.error().message();
    EXPECT_TRUE(hand().get(*c, "o") == text) << size;
    EXPECT_TRUE(hand().get(*c, "o", {size / 2, size}) == text.substr(size / 2)) << size;
  }
  EXPECT_THAT(uploads(), Not(HasSubstr("<UploadId>")));
}

TEST_F(S3Bucket, AHalfUploadIsNeverSeenAndIsAborted) {
  auto c = hand().create("c");
  hand().put(*c, "o", "old");
  {
    auto writer = *hand().wait(c->write(hand().request(), "o"));
    for (int i = 0; i < 6; ++i) {
      auto written = hand().wait(writer->write(hand().request(), Bytes(kPartBytesMax, 'x')));
      ASSERT_TRUE(written.has_value()) << written.error().message();
    }
    EXPECT_EQ(hand().get(*c, "o"), "old");
    EXPECT_THAT(uploads(), HasSubstr("<UploadId>"));
  }
  EXPECT_EQ(hand().get(*c, "o"), "old");
  EXPECT_TRUE(aborted());
  EXPECT_EQ(hand().get(*c, "o"), "old");
}

TEST_F(S3Bucket, ALoopMayEndWhileAnUploadIsBeingAborted) {
  auto c = hand().create("c");
  auto writer = *hand().wait(c->write(hand().request(), "o"));
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(
        hand().wait(writer->write(hand().request(), Bytes(kPartBytesMax, 'x'))).has_value());
  }
  // Nothing of this loop runs any more: the part and the abort go with it.
  writer.reset();
  c.reset();
  hand_.reset();
  hand_.emplace(*backend_);
  EXPECT_EQ(hand().get(*hand().open("c"), "o"), "(not-found)");
}

class S3Place : public S3Bucket {
 protected:
  S3Place() : S3Bucket("their/things/") {}
};

TEST_F(S3Place, IsAContainerThatIsThere) {
  ask(port_, "PUT", "/" + bucket_ + "/their/things/a", {}, "hello");
  ask(port_, "PUT", "/" + bucket_ + "/their/other", {}, "");
  auto& store = hand().store();
  auto request = hand().request();
  EXPECT_TRUE(*hand().wait(store.exists(request, {"app", "c"})));
  EXPECT_EQ(code_of(hand().wait(store.create(request, {"app", "c"}))), "(conflict)");
  auto c = hand().open("c");
  EXPECT_EQ(hand().get(*c, "a"), "hello");
  hand().put(*c, "b", "ours");
  EXPECT_EQ(ask(port_, "GET", "/" + bucket_ + "/their/things/b"), "ours");
  EXPECT_THAT(hand().names(*c), ElementsAre("a", "b"));
  // It is not the app's to delete.
  EXPECT_EQ(code_of(hand().wait(store.remove(request, {"app", "c"}))), "(denied)");
  ASSERT_TRUE(hand().wait(c->clear(request)).has_value());
  EXPECT_THAT(keys(), Not(HasSubstr("things")));
  EXPECT_THAT(keys(), HasSubstr("their/other"));
}

TEST_F(S3Bucket, WhatIsWrongWithTheSettingsIsSaid) {
  struct Case {
    std::function<void(Settings&)> change;
    std::string code, says;
  };
  for (const Case& each :
       {Case{[](Settings& s) { s.credentials.secret_access_key = Secret("s3cr3t"); }, "(denied)",
             "correct `access-key-id` and `secret-access-key`"},
        Case{[](Settings& s) { s.credentials.access_key_id = "nobody"; }, "(denied)",
             "access-key-id"},
        Case{[](Settings& s) { s.bucket = "absent", s.path = "/absent"; }, "(not-found)",
             "there is no bucket absent"},
        Case{[](Settings& s) { s.region = "moon-1"; }, "(invalid)", "us-east-1"}}) {
    Settings settings = settings_for(port_, bucket_);
    each.change(settings);
    auto client = std::make_shared<Client>(hand().loop(),
                                           std::make_shared<const Settings>(std::move(settings)));
    auto reached = hand().wait(client->reach(hand().request()));
    EXPECT_EQ(code_of(reached), each.code);
    ASSERT_FALSE(reached.has_value());
    EXPECT_THAT(reached.error().message(), HasSubstr(each.says));
    EXPECT_THAT(reached.error().message(), Not(HasSubstr("s3cr3t")));
  }
}

// Over TLS, with an authority of the test's own.
TEST(S3Tls, TrustsWhomItIsToldToAndNobodyElse) {
  http_test::MadeCertificate made("localhost"), other("localhost");
  std::string authorities, others;
  RealServer server([&](std::uint16_t port, const std::string& folder) {
    std::string key = folder + "/key.pem";
    authorities = folder + "/ca.pem";
    others = folder + "/others.pem";
    std::ofstream(key) << made.key;
    std::ofstream(authorities) << made.certificate;
    std::ofstream(others) << other.certificate;
    auto command = server_command(port, folder);
    command.insert(command.end(), {authorities, key});
    return command;
  });
  auto at = [&](const std::string& ca_file) {
    auto settings =
        read_settings(choice({{"url", fmt::format("https://localhost:{}", server.port())},
                              {"bucket", "tls"},
                              {"access-key-id", "test:tester"},
                              {"secret-access-key", "testing"},
                              {"ca-file", ca_file}}));
    CHECK(settings.has_value());
    return *std::move(settings);
  };
  {
    Hand hand(*s3_backend(at(others)));
    auto exists = hand.wait(hand.store().exists(hand.request(), {"app", "c"}));
    EXPECT_EQ(code_of(exists), "(unavailable)");
    EXPECT_THAT(exists.error().message(), HasSubstr("certificate"));
  }
  Loop loop;
  auto client = std::make_shared<Client>(loop, std::make_shared<const Settings>(at(authorities)));
  Request soon{loop, Deadline::after(std::chrono::seconds(20))};
  // Makes the bucket, whose answer has no ETag, as an object's has.
  auto made_bucket = testing::run_task(loop, client->put(soon, "", {}, ""));
  ASSERT_FALSE(made_bucket.has_value());
  EXPECT_THAT(made_bucket.error().message(), HasSubstr("ETag"));
  auto backend = s3_backend(at(authorities));
  Hand hand(*backend);
  auto c = hand.create("c");
  std::string text = pattern(300'000, 1);
  hand.put(*c, "o", text);
  EXPECT_TRUE(hand.get(*c, "o") == text);
}

// A server of the test's own, a proxy before it, and a container.
class S3Faults : public ::testing::Test {
 protected:
  S3Faults() {
    Settings settings = settings_for(proxy_.port(), new_bucket(server_.port()));
    // Long enough for a server on a machine that is busy with other tests.
    settings.timeout = std::chrono::seconds(4);
    settings.part_bytes = 128 << 10;
    backend_ = s3_backend(std::move(settings));
    hand_.emplace(*backend_);
    container_ = hand_->create("c");
  }
  Request soon(std::chrono::milliseconds time = std::chrono::seconds(20)) {
    return {hand_->loop(), Deadline::after(time)};
  }
  Result<void> put(std::string name, std::string text,
                   std::chrono::milliseconds time = std::chrono::seconds(20)) {
    auto writer = hand_->wait(container_->write(soon(time), std::move(name)));
    if (!writer) return std::unexpected(writer.error());
    for (std::size_t at = 0; at < text.size(); at += kPartBytesMax) {
      auto written =
          hand_->wait((*writer)->write(soon(time), to_bytes(text.substr(at, kPartBytesMax))));
      if (!written) return written;
    }
    return hand_->wait((*writer)->commit(soon(time)));
  }
  static std::string told(const Result<void>& done) { return done ? "" : done.error().message(); }
  std::string get(std::string name, std::chrono::milliseconds time = std::chrono::seconds(20)) {
    auto reader = hand_->wait(container_->read(soon(time), std::move(name), {}));
    if (!reader) return "(error) " + reader.error().message();
    std::string text;
    for (;;) {
      auto part = hand_->wait((*reader)->read(soon(time)));
      if (!part) return "(error) " + part.error().message();
      if (part->empty()) return text;
      text += as_text(*part);
    }
  }
  // Tries until it is there again.
  bool recovers(const std::string& name, const std::string& text) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (get(name) != text) {
      if (limit.passed()) return false;
    }
    return true;
  }

  RealServer server_{server_command};
  FaultProxy proxy_{server_.port()};
  std::unique_ptr<Backend> backend_;
  std::optional<Hand> hand_;
  std::unique_ptr<Container> container_;
};

TEST_F(S3Faults, ASlowWayIsSlowAndNothingElse) {
  std::string large = pattern(300'000, 5);
  for (Fault fault : {Fault::kDelay, Fault::kThrottle}) {
    proxy_.set(fault);
    ASSERT_EQ(told(put("o", large)), "");
    EXPECT_TRUE(get("o") == large);
  }
  proxy_.set(Fault::kSlice);
  ASSERT_EQ(told(put("p", large.substr(0, 5'000))), "");
  EXPECT_TRUE(get("p") == large.substr(0, 5'000));
}

TEST_F(S3Faults, ARefusedConnectionIsToldSoonAndRecoversByItself) {
  ASSERT_EQ(told(put("o", "v")), "");
  proxy_.set(Fault::kRefuse);
  auto start = Deadline::Clock::now();
  EXPECT_THAT(get("o"), HasSubstr("refused"));
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(10));
  auto written = put("o", "w");
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), Errc::kUnavailable);
  proxy_.set(Fault::kNone);
  EXPECT_TRUE(recovers("o", "v"));
}

TEST_F(S3Faults, AStalledServerIsGivenUp) {
  ASSERT_EQ(told(put("o", "v")), "");
  auto writer = *hand_->wait(container_->write(soon(), "o"));
  ASSERT_TRUE(hand_->wait(writer->write(soon(), to_bytes("w"))).has_value());
  proxy_.set(Fault::kStall);
  EXPECT_THAT(get("o", std::chrono::milliseconds(100)), HasSubstr("before the deadline"));
  auto start = Deadline::Clock::now();
  EXPECT_EQ(code_of(hand_->wait(writer->commit(soon()))), "(timeout)");
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(20));
  proxy_.set(Fault::kNone);
  EXPECT_TRUE(recovers("o", "v"));
  ASSERT_EQ(told(put("o", "x")), "");
  EXPECT_EQ(get("o"), "x");
}

TEST_F(S3Faults, AReadWhoseConnectionIsCutGoesOnWhereItWas) {
  std::string large = pattern(900'000, 1);
  ASSERT_EQ(told(put("o", large)), "");
  for (Fault fault : {Fault::kCut, Fault::kCutAsked}) {
    proxy_.set(fault);
    EXPECT_TRUE(get("o") == large);
  }
}

TEST_F(S3Faults, AReadIsNeverMadeOfTwoObjects) {
  std::string large = pattern(2'000'000, 1);
  ASSERT_EQ(told(put("o", large)), "");
  // Or all of it might be on this side already.
  proxy_.set(Fault::kThrottle);
  auto reader = *hand_->wait(container_->read(soon(), "o", {}));
  ASSERT_TRUE(hand_->wait(reader->read(soon())).has_value());
  // The connection it is on goes, and meanwhile the object is another.
  proxy_.set(Fault::kRefuse);
  proxy_.set(Fault::kNone);
  ASSERT_EQ(told(put("o", pattern(2'000'000, 2))), "");
  Result<Bytes> part = Bytes();
  std::size_t had = kPartBytesMax;
  while ((part = hand_->wait(reader->read(soon()))) && !part->empty()) {
    had += part->size();
    ASSERT_LT(had, large.size());
  }
  EXPECT_EQ(code_of(part), "(conflict)");
  EXPECT_THAT(part.error().message(), HasSubstr("replaced or deleted"));
}

TEST_F(S3Faults, AWriteThatIsCutIsDoneOnceAndWhole) {
  std::string old = pattern(400'000, 1), text = pattern(400'000, 2);
  for (Fault fault : {Fault::kCut, Fault::kCutAsked, Fault::kCut, Fault::kCutAsked}) {
    ASSERT_EQ(told(put("o", old)), "");
    auto writer = *hand_->wait(container_->write(soon(), "o"));
    Result<void> written;
    for (std::size_t at = 0; at < text.size() && written; at += kPartBytesMax) {
      // In the middle of a part.
      if (at == 4 * kPartBytesMax) proxy_.set(fault);
      written = hand_->wait(writer->write(soon(), to_bytes(text.substr(at, kPartBytesMax))));
    }
    if (written) written = hand_->wait(writer->commit(soon()));
    proxy_.set(Fault::kNone);
    std::string now = get("o");
    if (written) {
      EXPECT_TRUE(now == text);
    } else {
      EXPECT_EQ(written.error().code(), Errc::kUnavailable) << written.error().message();
      EXPECT_TRUE(now == old || now == text);
    }
  }
}

TEST_F(S3Faults, AreToldToWhoAsksWhetherTheServerCanBeUsed) {
  ASSERT_EQ(told(put("o", "v")), "");
  auto before = backend_->health()->read();
  EXPECT_TRUE(before.up);
  // Two looks at the container, and the object itself; making the container was two more.
  EXPECT_GE(before.requests, 3U);
  EXPECT_EQ(before.failures + before.losses, 0U);
  EXPECT_GT(before.time.count(), 0);
  Loop loop;
  EXPECT_TRUE(reach_now(loop, *backend_).has_value());
  EXPECT_EQ(backend_->health()->read().requests, before.requests + 1);
  proxy_.set(Fault::kRefuse);
  EXPECT_EQ(code_of(reach_now(loop, *backend_)), "(unavailable)");
  EXPECT_FALSE(backend_->health()->read().up);
  EXPECT_GT(backend_->health()->read().losses, 0U);
}

TEST_F(S3Faults, AServerThatIsKilledLosesNothingItAcknowledged) {
  for (int round = 0; round < 2; ++round) {
    std::string value = pattern(200'000, static_cast<unsigned>(round));
    ASSERT_EQ(told(put("o", value)), "");
    server_.kill();
    EXPECT_THAT(get("o"), HasSubstr("(error)"));
    server_.start();
    EXPECT_TRUE(recovers("o", value));
  }
}

}  // namespace
}  // namespace weft::blobstore::s3
