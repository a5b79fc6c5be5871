// Shows that a group of the embedded log whose trigger is gone holds only what it wants, that it is
// shown, and that it goes, by itself or by an operator's word, with all that was kept for it.
#include "capabilities/messaging/log_groups.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "capabilities/keyvalue/backend.h"
#include "capabilities/messaging/log_broker.h"
#include "capabilities/messaging/testing.h"
#include "capabilities/state_folder.h"
#include "capabilities/test_folder.h"

namespace weft::messaging {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Kind = Verdict::Kind;

// A broker on a folder, begun anew as after a crash; "g" is the group of its queue, and others are
// taken and left at once.
class LogGroups : public OneQueue {
 protected:
  static constexpr std::chrono::hours kLong{1'000};

  LogGroups() { start(); }
  ~LogGroups() override {
    queue_.reset();
    broker_.reset();
    backend_.reset();
    // What the broker had begun by itself hears its answer.
    run_for(milliseconds(20));
  }

  void start(LogBounds bounds = {.messages_max = 10, .group_kept = kLong, .look_every = kLong}) {
    queue_.reset();
    broker_.reset();
    backend_.reset();
    auto backend = log_backend(keyvalue::lmdb_backend(state_), bounds);
    CHECK(backend->open());
    begin(std::move(backend));
  }
  // A group whose trigger ran, and does not any more.
  void orphan(std::string name, std::string pattern) {
    auto queue = broker_->subscribe({std::move(name), std::move(pattern)}, *this);
    // That it is there is written.
    EXPECT_EQ(publish_to(*broker_, {"nobody.is.there", {}}, patience_), "ok");
    run_for(milliseconds(30));
    queue->stop();
    EXPECT_TRUE(until([&] { return queue->idle(); }));
  }
  std::string publish_on(std::string topic) {
    auto told = asked<void>([&] {
      return broker_->publish({loop_, Deadline::after(patience_)}, {std::move(topic), Bytes(3)});
    });
    if (!told) return "nothing";
    return *told ? "ok" : std::string(told->error().message());
  }
  std::map<std::string, KnownGroup> groups() {
    auto told = asked<std::vector<KnownGroup>>(
        [&] { return broker_->groups({loop_, Deadline::after(patience_)}, Counted::kYes); });
    std::map<std::string, KnownGroup> known;
    if (!told || !*told) return known;
    for (KnownGroup& each : **told) known.emplace(each.name, each);
    return known;
  }
  // "MESSAGES LETTERS", or what is wrong.
  std::string forget(std::string group) {
    auto told = asked<Forgotten>(
        [&] { return broker_->forget({loop_, Deadline::after(patience_)}, std::move(group)); });
    if (!told) return "nothing";
    if (!*told) return std::string(told->error().message());
    return fmt::format("{} {}", (*told)->messages, (*told)->letters);
  }
  std::size_t taken() const { return taken_.size(); }

  TestFolder folder_;
  StateFolderOnDemand state_{folder_.path()};
};

TEST_F(LogGroups, OneWithoutATriggerHoldsOnlyWhatItWants) {
  orphan("old", "old.>");
  subscribe_to("new.>");
  // More than the log keeps at once.
  for (std::size_t i = 1; i <= 30; ++i) {
    // It is full until what was taken is written, and refuses until then.
    ASSERT_TRUE(until([&] { return publish_on("new.a") == "ok"; }));
    ASSERT_TRUE(until([&] { return taken() == i; }));
  }
  ASSERT_TRUE(until([&] { return publish_on("old.a") == "ok"; }));
  EXPECT_TRUE(until([&] { return groups()["g"].backlog == 0; }));
  auto known = groups();
  EXPECT_EQ(known["old"].backlog, 1U);
  EXPECT_FALSE(known["old"].runs);
  EXPECT_EQ(known["old"].pattern, "old.>");
  EXPECT_EQ(known["g"].backlog, 0U);
  EXPECT_TRUE(known["g"].runs);
}

TEST_F(LogGroups, OneWithoutATriggerHoldsOnlyWhatItWantsAfterARestart) {
  orphan("old", "old.>");
  subscribe_to("new.>");
  judge_ = hold;
  for (int i = 0; i < 5; ++i) ASSERT_EQ(publish_on("new.a"), "ok");
  ASSERT_EQ(publish_on("old.a"), "ok");
  start();
  judge_ = done;
  taken_.clear();
  subscribe_to("new.>");
  for (std::size_t i = 6; i <= 30; ++i) {
    ASSERT_TRUE(until([&] { return publish_on("new.a") == "ok"; }));
    ASSERT_TRUE(until([&] { return taken() == i; }));
  }
  EXPECT_EQ(groups()["old"].backlog, 1U);
  // And it has what it wants when its trigger is there again.
  judge_ = hold;
  auto back = broker_->subscribe({"old", "old.>"}, *this);
  EXPECT_TRUE(until([&] { return taken() == 31; }));
  EXPECT_EQ(last_.topic, "old.a");
}

TEST_F(LogGroups, AFullLogSaysForWhom) {
  orphan("old", "a.>");
  subscribe_to("b.>");
  for (int i = 0; i < 10; ++i) ASSERT_EQ(publish_on("a.x"), "ok");
  std::string why = publish_on("b.x");
  EXPECT_THAT(why, HasSubstr("10 messages are kept already"));
  EXPECT_THAT(why, HasSubstr("10 of them for the group \"old\", whose trigger does not run here"));
  EXPECT_EQ(forget("old"), "10 0");
  EXPECT_EQ(publish_on("b.x"), "ok");
}

TEST_F(LogGroups, OneIsForgottenWithItsMessagesAndDeadLetters) {
  subscribe_to("t");
  judge_ = [](const Delivery&) { return Verdict{Kind::kDead, {}, "no"}; };
  ASSERT_EQ(publish("1"), "ok");
  ASSERT_TRUE(until([&] { return dead().size() == 1; }));
  // One whose name begins so.
  auto longer = broker_->subscribe({"g/h", "u"}, *this);
  EXPECT_THAT(forget("g"), HasSubstr("the trigger of the group \"g\" runs here"));
  queue_->stop();
  ASSERT_TRUE(until([&] { return queue_->idle(); }));
  queue_.reset();
  ASSERT_EQ(publish("2"), "ok");
  EXPECT_EQ(groups()["g"].backlog, 1U);
  EXPECT_EQ(groups()["g"].dead, 1U);
  EXPECT_EQ(forget("g"), "1 1");
  EXPECT_THAT(groups(), ElementsAre(Pair("g/h", ::testing::_)));
  EXPECT_TRUE(dead().empty());
  EXPECT_THAT(forget("g"), HasSubstr("there is no group \"g\""));
  longer.reset();
  start();
  EXPECT_THAT(groups(), ElementsAre(Pair("g/h", ::testing::_)));
  // It begins anew.
  taken_.clear();
  judge_ = done;
  subscribe_to("t");
  ASSERT_EQ(publish("3"), "ok");
  EXPECT_TRUE(until([&] { return taken() == 1; }));
  EXPECT_THAT(taken_, ElementsAre("3"));
}

TEST_F(LogGroups, OneIsForgottenWhileTheHostRunsAndNotWhileItsTriggerDoes) {
  LogBounds bounds{
      .messages_max = 10, .group_kept = milliseconds(2'500), .look_every = milliseconds(20)};
  start(bounds);
  subscribe_to("t");
  orphan("old", "old.>");
  ASSERT_EQ(publish_on("old.a"), "ok");
  ASSERT_EQ(groups().count("old"), 1U);
  EXPECT_TRUE(until([&] { return groups().count("old") == 0; }));
  // For as long nothing comes to it.
  run_for(milliseconds(2'600));
  EXPECT_EQ(groups().count("g"), 1U);
  // That it ran was written: after a crash it is not forgotten before its time.
  start(bounds);
  EXPECT_EQ(groups().count("g"), 1U);
  run_for(milliseconds(100));
  EXPECT_EQ(groups().count("g"), 1U);
  EXPECT_EQ(groups().count("old"), 0U);
  EXPECT_TRUE(until([&] { return groups().count("g") == 0; }));
}

TEST_F(LogGroups, OneThatChangesItsTopicIsKeptWhatItWantsFromThenOn) {
  subscribe_to("a");
  judge_ = hold;
  ASSERT_EQ(publish_on("a"), "ok");
  ASSERT_TRUE(until([&] { return held_.size() == 1; }));
  auto next = broker_->subscribe({"g", "b"}, *this);
  // The one before writes where it stands, and is not the one that says what is wanted.
  queue_->settle(held_[0], {});
  run_for(milliseconds(50));
  judge_ = done;
  queue_ = std::move(next);
  EXPECT_EQ(publish_on("b"), "ok");
  EXPECT_TRUE(until([&] { return taken() == 2; }));
  EXPECT_EQ(last_.topic, "b");
  EXPECT_EQ(groups()["g"].pattern, "b");
}

TEST(GroupStandings, WithoutAPatternAreReadStill) {
  Standing standing{.position = 7, .open = {{3, 1}}, .seen_ms = 5, .pattern = "a.>"};
  Bytes bytes = standing.encode();
  EXPECT_EQ(Standing::decode(bytes)->pattern, "a.>");
  // As they were written before patterns were.
  Bytes old = Standing{.position = 7, .open = {{3, 1}}, .seen_ms = 5}.encode();
  old.pop_back();
  auto read = Standing::decode(old);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->position, 7U);
  EXPECT_TRUE(read->wants("whatever"));
  standing.pattern = "a b";
  EXPECT_FALSE(Standing::decode(standing.encode()).has_value());
}

TEST(GroupsWithoutATrigger, AreToldOfOnce) {
  Log log;
  log.expect("runs", "old.>");
  log.started(1, {}, {{"old", Standing{.pattern = "old.>"}}}, 0);
  EXPECT_TRUE(log.orphans().empty());  // Nothing waits for it.
  auto place = log.reserve("old.a");
  ASSERT_TRUE(place && *place);
  log.published(**place, {});
  EXPECT_THAT(log.orphans(), ElementsAre(Pair("old", 1U)));
  EXPECT_TRUE(log.orphans().empty());
  log.expect("old", "old.>");
  EXPECT_TRUE(log.orphans().empty());
  log.leave("old", 0);
  EXPECT_THAT(log.orphans(), ElementsAre(Pair("old", 1U)));
}

TEST(AFullDisk, IsToldToTheOperatorNowAndThen) {
  Log log;
  log.expect("g", ">");
  log.started(1, {}, {}, 0);
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) {
    auto place = log.reserve("a");
    ASSERT_TRUE(place && *place);
    log.published(**place, failure(Errc::kFull, "no room on the device"));
  }
  std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("no room on the device"));
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
}

TEST(ManyGroups, HaveTheirMessagesWhoeverSharesAMark) {
  Log log;
  log.started(1, {}, {}, 0);
  for (int i = 0; i < 80; ++i) log.expect(fmt::format("g{}", i), fmt::format("t{}", i));
  for (int i = 0; i < 80; ++i) {
    auto place = log.reserve(fmt::format("t{}", i));
    ASSERT_TRUE(place && *place);
    log.published(**place, {});
  }
  auto known = log.groups(Counted::kYes, 0);
  ASSERT_EQ(known.size(), 80U);
  std::uint64_t all = 0;
  for (const KnownGroup& each : known) {
    EXPECT_GE(each.backlog, 1U) << each.name;
    all += each.backlog;
  }
  // Those that share one are held each other's.
  EXPECT_EQ(all, 63U + 17U * 17U);
  EXPECT_TRUE(log.sweep().empty());
}

}  // namespace
}  // namespace weft::messaging
