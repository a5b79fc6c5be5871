// Shows that an event has one encoding, which reads back, that nothing else is read as one, and
// what it looks like as a CloudEvent.
#include "node/events/event.h"

#include <gtest/gtest.h>

#include <random>

#include "node/events/cloud_events.h"
#include "node/events/segment.h"
#include "node/events/testing.h"

namespace weft::node::events {
namespace {

using testing::key_of;
using testing::logged_event;

Bytes record_of(const Event& event) {
  Bytes bytes;
  append_event(bytes, event);
  return bytes;
}

TEST(Event, ReadsBackAsItWasWritten) {
  for (std::uint64_t n = 1; n < 200; ++n) {
    Event event = logged_event(n);
    Bytes record = record_of(event);
    auto read = read_event(record);
    ASSERT_TRUE(read.has_value()) << read.error().message();
    EXPECT_EQ(*read, event);
    EXPECT_EQ(read_u64(BytesView(record).subspan(kEventSequenceOffset, 8)), n);
  }
}

TEST(Event, HasTheBoundsThatAreNamed) {
  EXPECT_EQ(record_of({}).size(), kEventBytesMin);
  Event longest;
  longest.group = std::string(kGroupNameMax, 'g');
  longest.function = std::string(kFunctionNameMax, 'f');
  EXPECT_EQ(record_of(longest).size(), kEventBytesMax);
}

TEST(Event, IsReadFromNothingThatWasNotWrittenSo) {
  std::mt19937_64 chance(1);
  for (std::uint64_t n = 1; n < 40; ++n) {
    Bytes record = record_of(logged_event(n));
    for (std::size_t size = 0; size < record.size(); ++size) {
      EXPECT_FALSE(read_event(BytesView(record).first(size)));
    }
    record.push_back(0);
    EXPECT_FALSE(read_event(record));
    record.pop_back();
    // What is still read after a change is another event, whose one encoding these bytes are.
    for (int i = 0; i < 500; ++i) {
      Bytes changed = record;
      changed[chance() % changed.size()] ^= static_cast<std::uint8_t>(1 + chance() % 255);
      if (auto read = read_event(changed)) {
        EXPECT_EQ(record_of(*read), changed);
        EXPECT_NE(*read, logged_event(n));
      }
    }
  }
}

TEST(Event, SaysWhatItsReceiptSays) {
  Receipt receipt{.request = Hash::of(as_bytes("r")),
                  .requester = key_of('c').public_key(),
                  .group = "friends",
                  .action = Action::kCall,
                  .module = Hash::of(as_bytes("m")),
                  .function = "f",
                  .outcome = Outcome::kLimited,
                  .exit_code = 3,
                  .usage = {.cpu_ns = 1, .bytes_out = 2},
                  .began = 10,
                  .ended = 20};
  Event event = event_of(receipt);
  EXPECT_EQ(event.time, 20u);
  EXPECT_EQ(event.requester, receipt.requester);
  EXPECT_EQ(event.usage, receipt.usage);
  EXPECT_EQ(event.outcome, Outcome::kLimited);
  EXPECT_FALSE(event.refused());
}

TEST(CloudEvent, IsOneLineOfJson) {
  Event event{.sequence = 7,
              .time = 1'700'000'000'123,
              .action = Action::kCall,
              .requester = PublicKey(),
              .group = "friends",
              .request = Hash::of(as_bytes("r")),
              .module = Hash::of(as_bytes("m")),
              .function = "demo:math/add@1.0.0#\"sum\"",
              .usage = {.cpu_ns = 1,
                        .compile_ns = 2,
                        .memory_peak_bytes = 3,
                        .memory_byte_ms = UINT64_MAX,
                        .bytes_in = 5,
                        .bytes_out = 6}};
  PublicKey node = key_of('n').public_key();
  EXPECT_EQ(
      cloud_event(event, node),
      R"({"specversion":"1.0","id":"7","source":")" + node.text() +
          R"(","type":"weft.node.request.call","time":"2023-11-14T22:13:20.123Z","subject":")" +
          event.request.text() +
          R"(","datacontenttype":"application/json","sequence":"7","data":{"action":"call",)"
          R"("requester":")" +
          event.requester.text() + R"(","group":"friends","request":")" + event.request.text() +
          R"(","module":")" + event.module.text() +
          R"(","function":"demo:math/add@1.0.0#\"sum\"","outcome":"done","exit_code":0,)"
          R"("cpu_ns":1,"compile_ns":2,"memory_peak_bytes":3,)"
          R"("memory_byte_ms":18446744073709551615,"bytes_in":5,"bytes_out":6,)"
          R"("stored_bytes":0}})");
  event.refusal = Refusal::kQuota;
  EXPECT_NE(cloud_event(event, node).find(R"("outcome":"refused","reason":"quota")"),
            std::string::npos);
}

TEST(CloudEvent, HasTimesOfTheStandard) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(951'782'400'001), "2000-02-29T00:00:00.001Z");
  EXPECT_EQ(rfc3339(UINT64_MAX), "9999-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace weft::node::events
