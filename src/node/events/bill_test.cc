// Shows that a bill is the sum of its events, by key and by group, and what it looks like.
#include "node/events/bill.h"

#include <gtest/gtest.h>

#include "node/events/testing.h"

namespace weft::node::events {
namespace {

using testing::logged_event;

Event event_of_group(std::uint64_t sequence, std::string group) {
  return {.sequence = sequence,
          .group = std::move(group),
          .usage = {.cpu_ns = 1'500'000'000,
                    .compile_ns = 2'000'000,
                    .memory_peak_bytes = 65'536 * sequence,
                    .memory_byte_ms = 1'600,
                    .bytes_in = 1'024,
                    .bytes_out = 10},
          .stored_bytes = 5};
}

Bill some_bill() {
  Bill bill(BillBy::kGroup);
  bill.add(event_of_group(4, "b,\"x\""));
  bill.add(event_of_group(5, "a"));
  bill.add(event_of_group(6, ""));
  Event refused = event_of_group(7, "a");
  refused.refusal = Refusal::kQuota;
  refused.usage = {};
  bill.add(refused);
  Event missing = event_of_group(7, "a");
  missing.refusal = Refusal::kNotFound;
  missing.usage = {};
  missing.stored_bytes = 0;
  bill.add(missing);
  bill.add(event_of_group(8, "a"));
  return bill;
}

TEST(Bill, SumsUpByKeyAndByGroup) {
  for (BillBy by : {BillBy::kKey, BillBy::kGroup}) {
    Bill bill(by);
    std::uint64_t cpu = 0, out = 0, byte_ms = 0;
    for (std::uint64_t n = 1; n <= 1'000; ++n) {
      Event event = logged_event(n);
      bill.add(event);
      cpu += event.usage.cpu_ns;
      out += event.usage.bytes_out;
      byte_ms += event.usage.memory_byte_ms;
    }
    EXPECT_EQ(bill.lines().size(), by == BillBy::kKey ? 11u : 6u);
    EXPECT_EQ(bill.total().events, 1'000u);
    EXPECT_EQ(bill.total().cpu_ns, cpu);
    EXPECT_EQ(bill.total().memory_byte_s, byte_ms / 1'000);
    EXPECT_EQ(bill.total().memory_byte_ms_rest, byte_ms % 1'000);
    EXPECT_EQ(bill.first(), 1u);
    EXPECT_EQ(bill.last(), 1'000u);
    std::uint64_t lines_cpu = 0, lines_out = 0, lines_events = 0, lines_refused = 0;
    for (const BillLine& line : bill.lines()) {
      lines_cpu += line.cpu_ns;
      lines_out += line.bytes_out;
      lines_events += line.events;
      lines_refused += line.refused;
    }
    EXPECT_EQ(lines_cpu, cpu);
    EXPECT_EQ(lines_out, out);
    EXPECT_EQ(lines_events, 1'000u);
    EXPECT_EQ(lines_refused, bill.total().refused);
  }
}

TEST(Bill, OfALongTimeOfMuchMemoryDoesNotOverflow) {
  Bill bill(BillBy::kGroup);
  Event event = event_of_group(1, "g");
  event.usage.memory_byte_ms = UINT64_MAX;
  for (int i = 0; i < 900; ++i) bill.add(event);
  EXPECT_EQ(bill.total().memory_byte_s,
            UINT64_MAX / 1'000 * 900 + UINT64_MAX % 1'000 * 900 / 1'000);
}

TEST(Bill, HasABoundOfItsLines) {
  Bill bill(BillBy::kGroup);
  for (std::size_t n = 1; n <= kBillLinesMax + 5; ++n) {
    bill.add(event_of_group(n, "g" + std::to_string(n)));
  }
  auto lines = bill.lines();
  ASSERT_EQ(lines.size(), kBillLinesMax + 1);
  EXPECT_EQ(lines.front().who, kBillOthers);
  EXPECT_EQ(lines.front().events, 5u);
  EXPECT_EQ(bill.total().events, kBillLinesMax + 5);
}

TEST(Bill, IsATable) {
  EXPECT_EQ(
      bill_table(some_bill()),
      "group   events  refused  cpu s  compile s  memory x s       peak       in   out  stored\n"
      "(none)       1        0  1.500      0.002       1 B s  384.0 KiB  1.0 KiB  10 B     5 B\n"
      "a            4        1  3.000      0.004       3 B s  512.0 KiB  2.0 KiB  20 B    15 B\n"
      "b,\"x\"        1        0  1.500      0.002       1 B s  256.0 KiB  1.0 KiB  10 B     5 B\n"
      "total        6        1  6.000      0.008       6 B s  512.0 KiB  4.0 KiB  40 B    25 B\n");
}

TEST(Bill, IsJson) {
  EXPECT_EQ(
      bill_json(some_bill()),
      R"({"by":"group","first_event":4,"last_event":8,"lines":[)"
      R"x({"group":"(none)","events":1,"refused":0,"cpu_ns":1500000000,"compile_ns":2000000,)x"
      R"("memory_byte_s":1,"memory_peak_bytes":393216,"bytes_in":1024,"bytes_out":10,)"
      R"("stored_bytes":5},)"
      R"({"group":"a","events":4,"refused":1,"cpu_ns":3000000000,"compile_ns":4000000,)"
      R"("memory_byte_s":3,"memory_peak_bytes":524288,"bytes_in":2048,"bytes_out":20,)"
      R"("stored_bytes":15},)"
      R"({"group":"b,\"x\"","events":1,"refused":0,"cpu_ns":1500000000,)"
      R"("compile_ns":2000000,"memory_byte_s":1,"memory_peak_bytes":262144,)"
      R"("bytes_in":1024,"bytes_out":10,"stored_bytes":5}],)"
      R"("total":{"events":6,"refused":1,"cpu_ns":6000000000,"compile_ns":8000000,)"
      R"("memory_byte_s":6,"memory_peak_bytes":524288,"bytes_in":4096,"bytes_out":40,)"
      R"("stored_bytes":25}})"
      "\n");
}

TEST(Bill, IsCsv) {
  EXPECT_EQ(bill_csv(some_bill()),
            "group,events,refused,cpu_ns,compile_ns,memory_byte_s,memory_peak_bytes,bytes_in,"
            "bytes_out,stored_bytes\r\n"
            "(none),1,0,1500000000,2000000,1,393216,1024,10,5\r\n"
            "a,4,1,3000000000,4000000,3,524288,2048,20,15\r\n"
            "\"b,\"\"x\"\"\",1,0,1500000000,2000000,1,262144,1024,10,5\r\n");
}

}  // namespace
}  // namespace weft::node::events
