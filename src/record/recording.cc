#include "record/recording.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

#include "base/read_file.h"
#include "base/shown_text.h"
#include "values/call_values.h"
#include "values/wave.h"

namespace weft {
namespace {

namespace json = boost::json;

// What is shown of a value.
constexpr std::size_t kShownMax = 2'000;

std::unexpected<Error> corrupt(std::string message) {
  return failure(Errc::kCorrupt, std::move(message));
}

std::optional<Bytes> from_hex(std::string_view text) {
  Bytes bytes;
  if (text.size() % 2 != 0) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    std::uint8_t byte = 0;
    auto [end, problem] = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    if (problem != std::errc() || end != text.data() + i + 2) return std::nullopt;
    bytes.push_back(byte);
  }
  return bytes;
}

Errc code_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Errc::kInternal); ++i) {
    if (to_string(static_cast<Errc>(i)) == name) return static_cast<Errc>(i);
  }
  return Errc::kInternal;
}

class Reader {
 public:
  Result<Recording> read(std::string_view text) {
    std::size_t number = 0;
    while (!text.empty()) {
      ++number;
      std::size_t end = text.find('\n');
      if (end == text.npos) break;  // Cut short, with whoever wrote it.
      auto done = line(text.substr(0, end));
      if (!done) return std::unexpected(std::move(done).error().within(fmt::format("{}", number)));
      text.remove_prefix(end + 1);
    }
    if (!begun_) return corrupt("it is no recording of weft");
    return std::move(recording_);
  }

 private:
  Result<void> line(std::string_view text) {
    if (text.empty()) return {};
    boost::system::error_code problem;
    json::value value = json::parse(json::string_view(text.data(), text.size()), problem);
    const json::object* object = problem ? nullptr : value.if_object();
    if (!begun_) return begin(object);
    if (object == nullptr) return corrupt("the line is no JSON object");
    if (object->contains("function")) return function(*object);
    if (object->contains("call")) return call(*object);
    if (const json::value* lost = object->if_contains("lost"); lost && lost->is_int64()) {
      if (lost->get_int64() < 0) return corrupt("fewer than no calls are lost");
      recording_.lost = static_cast<std::uint64_t>(lost->get_int64());
      recording_.complete = true;
    }
    return {};
  }

  Result<void> begin(const json::object* first) {
    const json::value* version = first ? first->if_contains("weft-recording") : nullptr;
    if (version == nullptr || !version->is_int64()) return corrupt("it is no recording of weft");
    if (version->get_int64() != kRecordingVersion) {
      return failure(Errc::kUnsupported,
                     fmt::format("a recording of version {}, and this weft reads version {}: "
                                 "record anew, or use the weft that made it",
                                 version->get_int64(), kRecordingVersion));
    }
    begun_ = true;
    return {};
  }

  static std::string text_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    if (value == nullptr || !value->is_string()) return {};
    return {value->get_string().data(), value->get_string().size()};
  }
  static std::optional<std::int64_t> number_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    if (value == nullptr || !value->is_int64()) return std::nullopt;
    return value->get_int64();
  }

  Result<void> function(const json::object& object) {
    auto number = number_of(object, "function");
    if (number != static_cast<std::int64_t>(recording_.functions.size()) ||
        recording_.functions.size() >= kRecordedFunctionsMax) {
      return corrupt("functions are not numbered one after the other");
    }
    TRY(auto function, RecordedFunction::make(text_of(object, "interface"), text_of(object, "name"),
                                              text_of(object, "signature"), text_of(object, "by")));
    recording_.functions.push_back(std::move(function));
    return {};
  }

  Result<void> call(const json::object& object) {
    auto number = number_of(object, "call");
    if (!number || *number < 0 ||
        static_cast<std::size_t>(*number) >= recording_.functions.size()) {
      return corrupt("there is no function of that number before it");
    }
    const RecordedFunction& function = recording_.functions[static_cast<std::size_t>(*number)];
    RecordedCall call{.function = static_cast<std::size_t>(*number),
                      .app = text_of(object, "app"),
                      .component = text_of(object, "component")};
    call.time = std::chrono::microseconds(number_of(object, "us").value_or(0));
    if (object.contains("error")) {
      call.error = Error(code_of(text_of(object, "error")), text_of(object, "message"));
    }
    auto arguments = body(object, "args", function, call.arguments_text);
    if (!arguments) return std::unexpected(std::move(arguments).error().within("args"));
    std::optional<Bytes> reply = Bytes{};
    if (!call.error) {
      auto result = body(object, "result", function, call.result_text);
      if (!result) return std::unexpected(std::move(result).error().within("result"));
      reply = *std::move(result);
    }
    if (function.plain && *arguments && reply) {
      call.bodies = RecordedCall::Bodies{**std::move(arguments), *std::move(reply)};
    }
    recording_.calls.push_back(std::move(call));
    return {};
  }

  // The bytes of one side of a call, and the text that stands for it. Absent: it was not recorded.
  static Result<std::optional<Bytes>> body(const json::object& object, const std::string& key,
                                           const RecordedFunction& function, std::string& text) {
    if (object.contains(key + "-hidden")) {
      text = "<hidden, it may be a secret>";
      return std::nullopt;
    }
    if (auto size = number_of(object, key + "-bytes")) {
      text = fmt::format("<{} bytes>", *size);
      return std::nullopt;
    }
    if (object.contains(key + "-hex")) {
      std::string hex = text_of(object, key + "-hex");
      text = fmt::format("<hex {}>", hex);
      auto bytes = from_hex(hex);
      if (!bytes) return corrupt("it is no hexadecimal text");
      return bytes;
    }
    text = text_of(object, key);
    if (!function.plain) return std::nullopt;
    bool arguments = key == "args";
    if (!arguments && function.type.result.kind == Type::Kind::kNothing) return Bytes{};
    Result<Bytes> bytes = arguments ? arguments_from_wave(function.type, text)
                                    : value_from_wave(function.type.result, text);
    if (!bytes) return std::unexpected(std::move(bytes).error());
    return *std::move(bytes);
  }

  Recording recording_;
  bool begun_ = false;
};

}  // namespace

Result<RecordedFunction> RecordedFunction::make(std::string interface, std::string name,
                                                std::string signature, std::string by) {
  TRY(Signature type, parse_signature(signature));
  RecordedFunction function{std::move(interface), std::move(name), std::move(signature),
                            std::move(by)};
  function.plain = is_plain(type);
  function.type = std::move(type);
  return function;
}

std::string RecordedFunction::call_text(std::string_view arguments) const {
  return fmt::format("{}{}{}{}", interface, interface.empty() ? "" : "#", name, arguments);
}

Result<Recording> Recording::parse(std::string_view text) {
  return Reader().read(text);
}

Result<Recording> Recording::read(const std::string& file) {
  auto text = read_file(file, kRecordingBytesMax);
  if (!text) return std::unexpected(std::move(text).error().within(file));
  auto recording = parse(*text);
  if (!recording) return std::unexpected(std::move(recording).error().within(file));
  return recording;
}

std::string Recording::text() const {
  std::string out;
  for (const RecordedCall& call : calls) {
    const RecordedFunction& function = functions[call.function];
    out += fmt::format("{}/{} -> {}: {}", call.app, call.component, function.by,
                       function.call_text(cut_text(call.arguments_text, kShownMax)));
    if (call.error) {
      out += fmt::format(" failed: {}: {}", to_string(call.error->code()), call.error->message());
    } else if (!call.result_text.empty()) {
      out += fmt::format(" -> {}", cut_text(call.result_text, kShownMax));
    }
    out += fmt::format(" [{:.3f} ms{}]\n", static_cast<double>(call.time.count()) / 1000,
                       call.bodies ? "" : ", cannot be replayed");
  }
  out += fmt::format("{} call{}", calls.size(), calls.size() == 1 ? "" : "s");
  if (lost > 0) out += fmt::format(", {} lost", lost);
  if (!complete) out += "; it breaks off: whoever recorded it did not come to its end";
  return without_controls(out + "\n");
}

}  // namespace weft
