// Shows that a line of a bill is proven by what the requester and the node signed, and that
// whatever is changed in either, or belongs to something else, is said in one message.
#include "node/events/verify.h"

#include <gtest/gtest.h>

#include <functional>

#include "capabilities/test_folder.h"
#include "node/events/export_events.h"
#include "node/events/testing.h"

namespace weft::node::events {
namespace {

using testing::key_of;
using testing::some_event;

struct Proving : ::testing::Test {
  SigningKey client = key_of('c');
  SigningKey node = key_of('n');
  Request request{.audience = Audience::of(node.public_key()),
                  .nonce = {1},
                  .made = 1'700'000'000'000,
                  .expires = 1'700'000'060'000,
                  .action = Action::kRun,
                  .module = Hash::of(as_bytes("m"))};
  Bytes request_bytes = sign(request, client);
  Receipt receipt{.request = Hash::of(request_bytes),
                  .requester = client.public_key(),
                  .group = "friends",
                  .action = Action::kRun,
                  .module = request.module,
                  .usage = {.cpu_ns = 5, .bytes_out = 7},
                  .began = 1'700'000'001'000,
                  .ended = 1'700'000'002'000,
                  .event = 3};
  Bytes receipt_bytes = sign(receipt, node);

  Result<ProvenLine> verify(BytesView events = {}) {
    return verify_line({.request = request_bytes, .receipt = receipt_bytes, .events = events},
                       node.public_key());
  }

  // The log of a node that has this as its third event.
  Bytes exported(const Event& third) {
    TestFolder place;
    {
      auto log = EventLog::open(place.path() / "events", node.public_key()).value();
      for (std::uint64_t n = 1; n <= 5; ++n) {
        CHECK(log->append(n == 3 ? third : some_event(n)).has_value());
      }
    }
    Bytes all;
    CHECK(export_events(place.path() / "events", 0, 0, [&](BytesView piece) -> Result<void> {
            all.insert(all.end(), piece.begin(), piece.end());
            return {};
          }).has_value());
    return all;
  }

  void expect_refused(Errc code, std::string_view part, BytesView events = {}) {
    auto line = verify(events);
    ASSERT_FALSE(line.has_value()) << part;
    EXPECT_EQ(line.error().code(), code) << line.error().message();
    EXPECT_NE(line.error().message().find(part), std::string::npos) << line.error().message();
  }
};

TEST_F(Proving, ALineIsProven) {
  auto line = verify();
  ASSERT_TRUE(line.has_value()) << line.error().message();
  EXPECT_EQ(line->requester, client.public_key());
  EXPECT_EQ(line->request, request);
  EXPECT_EQ(line->receipt, receipt);
  EXPECT_FALSE(line->event);
  line = verify(exported(event_of(receipt)));
  ASSERT_TRUE(line.has_value()) << line.error().message();
  ASSERT_TRUE(line->event);
  EXPECT_EQ(line->event->usage, receipt.usage);
}

TEST_F(Proving, NoByteCanBeChanged) {
  for (Bytes* bytes : {&request_bytes, &receipt_bytes}) {
    for (std::size_t i = 0; i < bytes->size(); ++i) {
      (*bytes)[i] ^= 1;
      EXPECT_FALSE(verify()) << i;
      (*bytes)[i] ^= 1;
    }
  }
  EXPECT_TRUE(verify());
}

TEST_F(Proving, WhatIsNoneOfTheseObjectsIsSaid) {
  std::swap(request_bytes, receipt_bytes);
  expect_refused(Errc::kInvalid, "no signed request");
  request_bytes = receipt_bytes;
  expect_refused(Errc::kInvalid, "no signed receipt");
}

TEST_F(Proving, AReceiptOfAnotherNodeIsSaid) {
  receipt_bytes = sign(receipt, key_of('o'));
  expect_refused(Errc::kDenied, "not by the node");
}

TEST_F(Proving, ARequestForAnotherNodeIsSaid) {
  request.audience = Audience::of(key_of('o').public_key());
  request_bytes = sign(request, client);
  receipt.request = Hash::of(request_bytes);
  receipt_bytes = sign(receipt, node);
  expect_refused(Errc::kConflict, "the request was for node");
}

TEST_F(Proving, WhatDoesNotBelongTogetherIsSaid) {
  struct Case {
    std::function<void(Receipt&)> change;
    std::string_view part;
  };
  const Case cases[] = {
      {[](Receipt& r) { r.request = Hash::of({}); }, "the receipt is for"},
      {[](Receipt& r) { r.requester = key_of('x').public_key(); }, "names the key"},
      {[](Receipt& r) { r.action = Action::kCall; }, "asks to run"},
      {[](Receipt& r) { r.module = Hash::of({}); }, "names module"},
      {[](Receipt& r) { r.function = "f"; }, "names function"},
      {[](Receipt& r) { r.ended = 1; }, "ended before it began"},
      {[](Receipt& r) { r.began = 1; }, "before the request was made"},
  };
  for (const Case& each : cases) {
    Receipt changed = receipt;
    each.change(changed);
    receipt_bytes = sign(changed, node);
    expect_refused(Errc::kConflict, each.part);
  }
}

TEST_F(Proving, ALogThatSaysSomethingElseIsSaid) {
  Event other = event_of(receipt);
  other.usage.cpu_ns += 1;
  expect_refused(Errc::kConflict, "does not say what the receipt says", exported(other));
  Bytes events = exported(event_of(receipt));
  events[events.size() - 400] ^= 1;
  expect_refused(Errc::kCorrupt, "is not what was written", events);
  receipt.event = 9;
  receipt_bytes = sign(receipt, node);
  expect_refused(Errc::kNotFound, "do not have event 9", exported(event_of(receipt)));
}

}  // namespace
}  // namespace weft::node::events
