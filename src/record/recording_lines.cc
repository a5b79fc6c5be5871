#include "record/recording_lines.h"

#include <fmt/format.h>

#include <iterator>

#include "base/json_text.h"
#include "door/codec.h"
#include "values/call_values.h"
#include "values/wave.h"

namespace weft {
namespace {

// Text where it reads back to the very bytes, else the bytes. Numbers of handles are told only.
void value(std::string& out, std::string_view key, const RecordedFunction& function,
           const TakenValue& taken) {
  if (taken.hidden) {
    out += fmt::format(",\"{}-hidden\":true", key);
    return;
  }
  if (!taken.whole()) {
    out += fmt::format(",\"{}-bytes\":{}", key, taken.size);
    return;
  }
  bool arguments = key == "args";
  auto text = arguments ? arguments_to_text(function.type, taken.bytes)
                        : result_to_text(function.type, taken.bytes);
  bool same = text.has_value();
  bool nothing = !arguments && function.type.result.kind == Type::Kind::kNothing;
  if (same && function.plain && !nothing) {
    auto back = arguments ? arguments_from_wave(function.type, *text)
                          : value_from_wave(function.type.result, *text);
    same = back && *back == taken.bytes;
  }
  if (same) {
    if (!nothing) append_json_member(out, key, *text);
    return;
  }
  out += fmt::format(",\"{}-hex\":\"", key);
  for (std::uint8_t byte : taken.bytes) fmt::format_to(std::back_inserter(out), "{:02x}", byte);
  out += '"';
}

}  // namespace

std::size_t TakenCall::room() const {
  return sizeof *this + app.size() + component.size() + arguments.bytes.size() +
         reply.bytes.size() + (error ? error->message().size() : 0);
}

std::string recording_head() {
  return fmt::format("{{\"weft-recording\":{}}}\n", kRecordingVersion);
}

std::string function_line(std::size_t number, const RecordedFunction& function) {
  std::string out = fmt::format("{{\"function\":{}", number);
  append_json_member(out, "interface", function.interface);
  append_json_member(out, "name", function.name);
  append_json_member(out, "signature", function.signature);
  append_json_member(out, "by", function.by);
  return out + "}\n";
}

std::string call_line(std::size_t number, const RecordedFunction& function, const TakenCall& call) {
  std::string out = fmt::format("{{\"call\":{}", number);
  append_json_member(out, "app", call.app);
  append_json_member(out, "component", call.component);
  value(out, "args", function, call.arguments);
  if (call.error) {
    append_json_member(out, "error", to_string(call.error->code()));
    // A peer's message may be any bytes, and JSON is UTF-8.
    const std::string& message = call.error->message();
    append_json_member(out, "message", is_utf8(message) ? message : "(a message that is no UTF-8)");
  } else {
    value(out, "result", function, call.reply);
  }
  auto us = std::chrono::duration_cast<std::chrono::microseconds>(call.time).count();
  return out + fmt::format(",\"us\":{}}}\n", us);
}

std::string recording_end(std::uint64_t calls, std::uint64_t lost) {
  return fmt::format("{{\"calls\":{},\"lost\":{}}}\n", calls, lost);
}

}  // namespace weft
