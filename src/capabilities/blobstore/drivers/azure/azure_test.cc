// Shows what of the Azure driver is its own: settings, what others see in the account's container,
// large objects, and what becomes of requests when the server or the way to it fails.
#include "capabilities/blobstore/drivers/azure/azure.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capabilities/blobstore/conformance.h"
#include "capabilities/blobstore/drivers/azure/server.h"
#include "remote/testing/fault_proxy.h"

namespace weft::blobstore::azure {
namespace {

using remote::FaultProxy;
using remote::azure::ask;
using remote::azure::new_container;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Fault = FaultProxy::Fault;

// Made with the account's key: everything, until 2100.
constexpr const char* kToken =
    "sp=rwdlac&ss=b&srt=sco&se=2100-01-01T00%3A00%3A00Z&spr=https%2Chttp&sv=2021-08-06&"
    "sig=1%2FGLrCvTFU4Rcw4BLOjqXJb%2FVgYLRIofXzMVrJeGehM%3D";

DriverChoice choice(std::vector<std::pair<std::string, std::string>> settings) {
  DriverChoice choice{"azure-blob"};
  for (auto& [key, value] : settings) choice.settings.emplace_back(key, Secret(value));
  choice.settings.emplace_back("account", Secret("acme"));
  choice.settings.emplace_back("key", Secret("a2V5"));
  choice.settings.emplace_back("container", Secret("things"));
  return choice;
}

TEST(AzureSettings, AreReadOrSayWhatIsWrong) {
  auto settings =
      read_settings(choice({{"timeout", "2s"}, {"part-size", "16MiB"}, {"prefix", "a/"}}));
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->server.host, "acme.blob.core.windows.net");
  EXPECT_EQ(settings->server.timeout, std::chrono::seconds(2));
  EXPECT_EQ(settings->part_bytes, std::size_t{16} << 20);
  EXPECT_EQ(settings->prefix, "a/");
  EXPECT_EQ(read_settings(choice({}))->prefix, std::nullopt);
  for (auto [key, value, what] :
       {std::tuple{"prefix", "a", "prefix"}, std::tuple{"prefix", "/a/", "prefix"},
        std::tuple{"part-size", "1KiB", "part-size"}, std::tuple{"url", "ftp://x", "https://"}}) {
    auto read = read_settings(choice({{key, value}}));
    ASSERT_FALSE(read.has_value()) << what;
    EXPECT_THAT(read.error().message(), HasSubstr(what));
  }
}

TEST(AzureNames, AreThoseThatEveryoneSpellsAndOrdersAlike) {
  for (const char* name : {"a", "a/b.c", "sn\u00f6w \u2603", ".hidden", "\ud7ff"}) {
    EXPECT_TRUE(is_blob_name(name)) << name;
  }
  for (const char* name : {"a\\b", "a./b", "a.", "\U0001F600", "\ue000", "\x80", "\xc0\xaf",
                           "\xe2\x98", "\xed\xa0\x80"}) {
    EXPECT_FALSE(is_blob_name(name)) << name;
  }
  std::string deep;
  for (int i = 0; i < 251; ++i) deep += "a/";
  EXPECT_FALSE(is_blob_name(deep + "a"));
  EXPECT_TRUE(is_blob_name(deep.substr(2) + "a"));
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251 + seed);
  return text;
}

// A container of the shared server, with parts that are small, behind a proxy.
class AzurePlace : public ::testing::Test {
 protected:
  static constexpr std::size_t kPart = 128 << 10;

  void SetUp() override {
    if (!remote::azure::has_server()) GTEST_SKIP() << "azurite is not installed";
    begin({});
  }
  void begin(std::optional<std::string> prefix) {
    remote::RealServer& server = remote::azure::shared_server();
    port_ = server.port();
    place_ = new_container(port_);
    proxy_.emplace(port_);
    Settings settings = settings_for(proxy_->port(), place_);
    settings.server.timeout = std::chrono::seconds(4);
    settings.part_bytes = kPart;
    settings.prefix = std::move(prefix);
    backend_ = azure_backend(std::move(settings));
    hand_.emplace(*backend_);
  }
  void TearDown() override {
    hand_.reset();
    backend_.reset();
  }

  Hand& hand() { return *hand_; }
  // All names of blobs, as others list them.
  std::string blobs() {
    return ask(port_, place_, "GET", "", {{"comp", "list"}, {"restype", "container"}});
  }
  Request soon(std::chrono::milliseconds time = std::chrono::seconds(20)) {
    return {hand().loop(), Deadline::after(time)};
  }
  Result<void> put(Container& c, std::string name, std::string text) {
    auto writer = hand().wait(c.write(soon(), std::move(name)));
    if (!writer) return std::unexpected(writer.error());
    for (std::size_t at = 0; at < text.size(); at += kPartBytesMax) {
      auto written =
          hand().wait((*writer)->write(soon(), to_bytes(text.substr(at, kPartBytesMax))));
      if (!written) return written;
    }
    return hand().wait((*writer)->commit(soon()));
  }
  std::string get(Container& c, std::string name,
                  std::chrono::milliseconds time = std::chrono::seconds(20)) {
    auto reader = hand().wait(c.read(soon(time), std::move(name), {}));
    if (!reader) return "(error) " + reader.error().message();
    std::string text;
    for (;;) {
      auto part = hand().wait((*reader)->read(soon(time)));
      if (!part) return "(error) " + part.error().message();
      if (part->empty()) return text;
      text += as_text(*part);
    }
  }
  // Tries until it is there again.
  bool recovers(Container& c, const std::string& name, const std::string& text) {
    Deadline limit = Deadline::after(std::chrono::seconds(20));
    while (get(c, name) != text) {
      if (limit.passed()) return false;
    }
    return true;
  }

  std::uint16_t port_ = 0;
  std::string place_;
  std::optional<FaultProxy> proxy_;
  std::unique_ptr<Backend> backend_;
  std::optional<Hand> hand_;
};

TEST_F(AzurePlace, OrdinaryNamesAreWhatOthersSee) {
  auto c = hand().create("c");
  hand().put(*c, "photos/cat 1.jpg", "meow");
  EXPECT_EQ(ask(port_, place_, "GET", "app/c/photos/cat 1.jpg"), "meow");
  ask(port_, place_, "PUT", "app/c/theirs", {}, "hello");
  ask(port_, place_, "PUT", "app/c/folder/", {}, "");
  EXPECT_EQ(hand().get(*c, "theirs"), "hello");
  // A name that weft would spell otherwise is none of its.
  EXPECT_THAT(hand().names(*c), ElementsAre("photos/cat 1.jpg", "theirs"));
  ASSERT_TRUE(hand().wait(hand().store().remove(hand().request(), {"app", "c"})).has_value());
  EXPECT_THAT(blobs(), Not(HasSubstr("<Name>")));
}

TEST_F(AzurePlace, AListGoesOnBehindAnyName) {
  auto c = hand().create("c");
  std::vector<std::string> names{"a",     "a\x01z", "a\u00e9", "a\U0001F600", "a\U0001F600b",
                                 "a\xff", "b"};
  for (const std::string& name : names) hand().put(*c, name, "x");
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto page = hand().wait(c->list(hand().request(), names[i]));
    ASSERT_TRUE(page.has_value()) << page.error().message();
    EXPECT_THAT(page->names, ::testing::ElementsAreArray(names.begin() + i + 1, names.end()));
    EXPECT_FALSE(page->more);
  }
}

TEST_F(AzurePlace, ALargeObjectIsMadeOfBlocks) {
  auto c = hand().create("c");
  for (std::size_t size : {kPart - 1, kPart, kPart + 1, 2 * kPart, 5 * kPart + 77}) {
    std::string text = pattern(size, 3);
    auto writer = *hand().wait(c->write(hand().request(), "o"));
    // Pieces of every size, so that blocks begin within them.
    for (std::size_t at = 0, piece = 1; at < size; at += piece, piece = piece * 3 % 65'537) {
      auto written = hand().wait(writer->write(hand().request(), to_bytes(text.substr(at, piece))));
      ASSERT_TRUE(written.has_value()) << written.error().message();
    }
    auto done = hand().wait(writer->commit(hand().request()));
    ASSERT_TRUE(done.has_value()) << done.error().message();
    EXPECT_TRUE(hand().get(*c, "o") == text) << size;
    EXPECT_TRUE(hand().get(*c, "o", {size / 2, size}) == text.substr(size / 2)) << size;
  }
}

TEST_F(AzurePlace, AHalfUploadIsNeverSeen) {
  auto c = hand().create("c");
  hand().put(*c, "o", "old");
  for (const char* name : {"o", "new"}) {
    auto writer = *hand().wait(c->write(hand().request(), name));
    for (int i = 0; i < 6; ++i) {
      auto written = hand().wait(writer->write(hand().request(), Bytes(kPartBytesMax, 'x')));
      ASSERT_TRUE(written.has_value()) << written.error().message();
    }
    EXPECT_EQ(hand().get(*c, "o"), "old");
  }
  EXPECT_EQ(hand().get(*c, "o"), "old");
  EXPECT_EQ(hand().get(*c, "new"), "(not-found)");
  EXPECT_THAT(hand().names(*c), ElementsAre("o"));
}

TEST_F(AzurePlace, OfTwoLargeWritersOneStaysWholeAndTheOtherIsTold) {
  auto c = hand().create("c");
  auto first = *hand().wait(c->write(hand().request(), "o"));
  auto second = *hand().wait(c->write(hand().request(), "o"));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(hand().wait(first->write(hand().request(), Bytes(kPartBytesMax, '1'))).has_value());
    ASSERT_TRUE(
        hand().wait(second->write(hand().request(), Bytes(kPartBytesMax, '2'))).has_value());
  }
  ASSERT_TRUE(hand().wait(second->commit(hand().request())).has_value());
  auto lost = hand().wait(first->commit(hand().request()));
  std::string now = hand().get(*c, "o");
  EXPECT_TRUE(now == std::string(5 * kPartBytesMax, lost ? '1' : '2'));
  if (!lost) {
    EXPECT_EQ(code_of(lost), "(conflict)");
    EXPECT_THAT(lost.error().message(), HasSubstr("write it again"));
  }
}

TEST_F(AzurePlace, ThatTheOperatorNamesIsAContainerThatIsThere) {
  begin("their/things/");
  ask(port_, place_, "PUT", "their/things/a", {}, "hello");
  ask(port_, place_, "PUT", "their/other", {}, "");
  auto& store = hand().store();
  auto request = hand().request();
  EXPECT_TRUE(*hand().wait(store.exists(request, {"app", "c"})));
  EXPECT_EQ(code_of(hand().wait(store.create(request, {"app", "c"}))), "(conflict)");
  auto c = hand().open("c");
  EXPECT_EQ(hand().get(*c, "a"), "hello");
  hand().put(*c, "b", "ours");
  EXPECT_EQ(ask(port_, place_, "GET", "their/things/b"), "ours");
  EXPECT_THAT(hand().names(*c), ElementsAre("a", "b"));
  // It is not the app's to delete.
  EXPECT_EQ(code_of(hand().wait(store.remove(request, {"app", "c"}))), "(denied)");
  ASSERT_TRUE(hand().wait(c->clear(request)).has_value());
  EXPECT_THAT(blobs(), Not(HasSubstr("things")));
  EXPECT_THAT(blobs(), HasSubstr("their/other"));
}

TEST_F(AzurePlace, ATokenDoesInThePlaceOfTheKey) {
  Settings settings = settings_for(port_, place_);
  settings.server.key = Secret();
  settings.server.sas = Secret(kToken);
  auto backend = azure_backend(std::move(settings));
  Hand mine(*backend);
  auto c = mine.create("c");
  mine.put(*c, "o", "text");
  ObjectId from{{"app", "c"}, "o"}, to{{"app", "c"}, "p"};
  auto moved = mine.wait(mine.store().move(mine.request(), from, to));
  EXPECT_TRUE(moved.has_value()) << moved.error().message();
  EXPECT_THAT(mine.names(*c), ElementsAre("p"));
  EXPECT_EQ(mine.get(*c, "p"), "text");
}

TEST_F(AzurePlace, WhatIsWrongWithTheSettingsIsSaid) {
  struct Case {
    std::function<void(remote::azure::Settings&)> change;
    std::string code, says;
  };
  using Server = remote::azure::Settings;
  for (const Case& each :
       {Case{[](Server& s) { s.key = Secret("s3cr3t"); }, "(denied)",
             "correct `account` and `key`"},
        Case{[](Server& s) { s.key = Secret(), s.sas = Secret("sv=2021-08-06&sig=s3cr3t"); },
             "(denied)", "`sas`"},
        Case{[](Server& s) { s.container = "absent"; }, "(not-found)",
             "there is no container absent"}}) {
    Settings settings = settings_for(port_, place_);
    each.change(settings.server);
    auto backend = azure_backend(std::move(settings));
    auto reached = reach_now(hand().loop(), *backend);
    EXPECT_EQ(code_of(reached), each.code);
    ASSERT_FALSE(reached.has_value());
    EXPECT_THAT(reached.error().message(), HasSubstr(each.says));
    EXPECT_THAT(reached.error().message(), Not(HasSubstr("s3cr3t")));
  }
}

TEST_F(AzurePlace, TellsWhoAsksWhetherTheServerCanBeUsed) {
  auto c = hand().create("c");
  ASSERT_TRUE(put(*c, "o", "v").has_value());
  auto before = backend_->health()->read();
  EXPECT_TRUE(before.up);
  EXPECT_GE(before.requests, 3U);
  EXPECT_EQ(before.failures + before.losses, 0U);
  EXPECT_GT(before.time.count(), 0);
  Loop loop;
  EXPECT_TRUE(reach_now(loop, *backend_).has_value());
  EXPECT_EQ(backend_->health()->read().requests, before.requests + 1);
  proxy_->set(Fault::kRefuse);
  EXPECT_EQ(code_of(reach_now(loop, *backend_)), "(unavailable)");
  EXPECT_FALSE(backend_->health()->read().up);
  EXPECT_GT(backend_->health()->read().losses, 0U);
}

using AzureFaults = AzurePlace;

TEST_F(AzureFaults, ASlowWayIsSlowAndNothingElse) {
  auto c = hand().create("c");
  std::string large = pattern(300'000, 5);
  for (Fault fault : {Fault::kDelay, Fault::kThrottle}) {
    proxy_->set(fault);
    ASSERT_TRUE(put(*c, "o", large).has_value());
    EXPECT_TRUE(get(*c, "o") == large);
  }
  proxy_->set(Fault::kSlice);
  ASSERT_TRUE(put(*c, "p", large.substr(0, 3'000)).has_value());
  EXPECT_TRUE(get(*c, "p") == large.substr(0, 3'000));
}

TEST_F(AzureFaults, ARefusedConnectionIsToldSoonAndRecoversByItself) {
  auto c = hand().create("c");
  ASSERT_TRUE(put(*c, "o", "v").has_value());
  proxy_->set(Fault::kRefuse);
  auto start = Deadline::Clock::now();
  EXPECT_THAT(get(*c, "o"), HasSubstr("refused"));
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(10));
  EXPECT_EQ(code_of(put(*c, "o", "w")), "(unavailable)");
  proxy_->set(Fault::kNone);
  EXPECT_TRUE(recovers(*c, "o", "v"));
}

TEST_F(AzureFaults, AStalledServerIsGivenUp) {
  auto c = hand().create("c");
  ASSERT_TRUE(put(*c, "o", "v").has_value());
  auto writer = *hand().wait(c->write(soon(), "o"));
  ASSERT_TRUE(hand().wait(writer->write(soon(), to_bytes("w"))).has_value());
  proxy_->set(Fault::kStall);
  EXPECT_THAT(get(*c, "o", std::chrono::milliseconds(100)), HasSubstr("before the deadline"));
  auto start = Deadline::Clock::now();
  EXPECT_EQ(code_of(hand().wait(writer->commit(soon()))), "(timeout)");
  EXPECT_LT(Deadline::Clock::now() - start, std::chrono::seconds(20));
  proxy_->set(Fault::kNone);
  EXPECT_TRUE(recovers(*c, "o", "v"));
}

TEST_F(AzureFaults, AReadWhoseConnectionIsCutGoesOnWhereItWas) {
  auto c = hand().create("c");
  std::string large = pattern(900'000, 1);
  ASSERT_TRUE(put(*c, "o", large).has_value());
  for (Fault fault : {Fault::kCut, Fault::kCutAsked}) {
    proxy_->set(fault);
    EXPECT_TRUE(get(*c, "o") == large);
  }
}

TEST_F(AzureFaults, AReadIsNeverMadeOfTwoObjects) {
  auto c = hand().create("c");
  std::string large = pattern(2'000'000, 1);
  ASSERT_TRUE(put(*c, "o", large).has_value());
  // Or all of it might be on this side already.
  proxy_->set(Fault::kThrottle);
  auto reader = *hand().wait(c->read(soon(), "o", {}));
  ASSERT_TRUE(hand().wait(reader->read(soon())).has_value());
  // The connection it is on goes, and meanwhile the object is another.
  proxy_->set(Fault::kRefuse);
  proxy_->set(Fault::kNone);
  ASSERT_TRUE(put(*c, "o", pattern(2'000'000, 2)).has_value());
  Result<Bytes> part = Bytes();
  std::size_t had = kPartBytesMax;
  while ((part = hand().wait(reader->read(soon()))) && !part->empty()) {
    had += part->size();
    ASSERT_LT(had, large.size());
  }
  EXPECT_EQ(code_of(part), "(conflict)");
  EXPECT_THAT(part.error().message(), HasSubstr("replaced or deleted"));
}

TEST_F(AzureFaults, AWriteThatIsCutIsDoneOnceAndWhole) {
  auto c = hand().create("c");
  std::string old = pattern(400'000, 1), text = pattern(400'000, 2);
  for (Fault fault : {Fault::kCut, Fault::kCutAsked, Fault::kCut, Fault::kCutAsked}) {
    ASSERT_TRUE(put(*c, "o", old).has_value());
    auto writer = *hand().wait(c->write(soon(), "o"));
    Result<void> written;
    for (std::size_t at = 0; at < text.size() && written; at += kPartBytesMax) {
      // In the middle of a block.
      if (at == 4 * kPartBytesMax) proxy_->set(fault);
      written = hand().wait(writer->write(soon(), to_bytes(text.substr(at, kPartBytesMax))));
    }
    if (written) written = hand().wait(writer->commit(soon()));
    proxy_->set(Fault::kNone);
    std::string now = get(*c, "o");
    if (written) {
      EXPECT_TRUE(now == text);
    } else {
      EXPECT_EQ(written.error().code(), Errc::kUnavailable) << written.error().message();
      EXPECT_TRUE(now == old || now == text);
    }
  }
}

}  // namespace
}  // namespace weft::blobstore::azure
