#include "node/events/bill.h"

#include <algorithm>

namespace weft::node::events {
namespace {

constexpr std::uint64_t kMsPerS = 1'000;

}  // namespace

void BillLine::add(const Event& event) {
  ++events;
  // Whoever runs what is not here yet is told so, and sends it.
  if (event.refused() && event.refusal != Refusal::kNotFound) ++refused;
  const Usage& usage = event.usage;
  cpu_ns += usage.cpu_ns;
  compile_ns += usage.compile_ns;
  // The sum in ms would be full after some days of a large machine.
  memory_byte_ms_rest += usage.memory_byte_ms % kMsPerS;
  memory_byte_s += usage.memory_byte_ms / kMsPerS + memory_byte_ms_rest / kMsPerS;
  memory_byte_ms_rest %= kMsPerS;
  memory_peak_bytes = std::max(memory_peak_bytes, usage.memory_peak_bytes);
  bytes_in += usage.bytes_in;
  bytes_out += usage.bytes_out;
  stored_bytes += event.stored_bytes;
}

void Bill::add(const Event& event) {
  if (first_ == 0) first_ = event.sequence;
  last_ = event.sequence;
  total_.add(event);
  std::string who = by_ == BillBy::kKey ? event.requester.text() : event.group;
  if (who.empty()) who = kBillNoGroup;
  auto at = lines_.find(who);
  if (at == lines_.end()) {
    if (lines_.size() >= kBillLinesMax) who = kBillOthers;
    at = lines_.try_emplace(who, BillLine{.who = who}).first;
  }
  at->second.add(event);
}

std::vector<BillLine> Bill::lines() const {
  std::vector<BillLine> lines;
  lines.reserve(lines_.size());
  for (const auto& [who, line] : lines_) lines.push_back(line);
  return lines;
}

}  // namespace weft::node::events
