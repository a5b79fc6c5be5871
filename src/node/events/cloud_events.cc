#include "node/events/cloud_events.h"

#include <fmt/format.h>

#include <chrono>

#include "base/json_text.h"

namespace weft::node::events {
namespace {

// What JSON's readers may take for a number; more than 2^53 needs one that keeps whole numbers.
void number(std::string& out, std::string_view key, std::uint64_t value) {
  fmt::format_to(std::back_inserter(out), ",\"{}\":{}", key, value);
}

void usage(std::string& out, const Event& event) {
  number(out, "cpu_ns", event.usage.cpu_ns);
  number(out, "compile_ns", event.usage.compile_ns);
  number(out, "memory_peak_bytes", event.usage.memory_peak_bytes);
  number(out, "memory_byte_ms", event.usage.memory_byte_ms);
  number(out, "bytes_in", event.usage.bytes_in);
  number(out, "bytes_out", event.usage.bytes_out);
  number(out, "stored_bytes", event.stored_bytes);
}

}  // namespace

std::string rfc3339(UnixMs time) {
  using namespace std::chrono;
  // A year of four digits: what a clock says beyond is no time.
  constexpr UnixMs kLast = 253'402'300'799'999;
  sys_time<milliseconds> when{milliseconds(std::min(time, kLast))};
  auto day = floor<days>(when);
  year_month_day date(day);
  hh_mm_ss clock(when - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string cloud_event(const Event& event, const PublicKey& node) {
  std::string out = "{\"specversion\":\"1.0\"";
  std::string number_text = fmt::format("{}", event.sequence);
  append_json_member(out, "id", number_text);
  append_json_member(out, "source", node.text());
  append_json_member(out, "type", fmt::format("weft.node.request.{}", to_string(event.action)));
  append_json_member(out, "time", rfc3339(event.time));
  append_json_member(out, "subject", event.request.text());
  append_json_member(out, "datacontenttype", "application/json");
  append_json_member(out, "sequence", number_text);
  out += ",\"data\":{\"action\":";
  append_json_string(out, to_string(event.action));
  append_json_member(out, "requester", event.requester.text());
  append_json_member(out, "group", event.group);
  append_json_member(out, "request", event.request.text());
  if (event.module != Hash()) append_json_member(out, "module", event.module.text());
  if (!event.function.empty()) append_json_member(out, "function", event.function);
  append_json_member(out, "outcome", event.refused() ? "refused" : to_string(event.outcome));
  if (event.refused()) {
    append_json_member(out, "reason", to_string(event.refusal));
  } else {
    number(out, "exit_code", event.exit_code);
  }
  usage(out, event);
  out += "}}";
  return out;
}

}  // namespace weft::node::events
