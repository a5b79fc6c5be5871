#include "observe/admin_calls.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json_string.h"

namespace weft {
namespace {

namespace json = boost::json;

constexpr std::int64_t kTimeMostMs = kAdminCallTimeMost.count();

std::unexpected<Error> wrong(std::string_view member, std::string_view write) {
  return failure(Errc::kInvalid, fmt::format("\"{}\" of the call: write {}", member, write));
}

Result<void> read_text(const json::value& value, std::string_view member, std::string& into) {
  if (!value.is_string()) return wrong(member, "a string");
  into.assign(value.get_string().begin(), value.get_string().end());
  return {};
}

}  // namespace

Result<AdminCall> AdminCall::read(std::string_view written) {
  boost::system::error_code problem;
  json::value value = json::parse({written.data(), written.size()}, problem);
  if (problem || !value.is_object()) {
    return failure(Errc::kInvalid,
                   "the request is no JSON object: write {\"target\": \"APP/COMPONENT\", "
                   "\"function\": \"pkg:name/iface#func(args)\"}");
  }
  AdminCall call;
  for (const auto& [key, member] : value.get_object()) {
    std::string_view name(key.data(), key.size());
    if (name == "target") {
      TRY_VOID(read_text(member, name, call.target));
    } else if (name == "function") {
      TRY_VOID(read_text(member, name, call.function));
    } else if (name == "capability") {
      TRY_VOID(read_text(member, name, call.capability));
    } else if (name == "arguments") {
      TRY_VOID(read_text(member, name, call.arguments));
    } else if (name == "json") {
      if (!member.is_bool()) return wrong(name, "true or false");
      call.json = member.get_bool();
    } else if (name == "time_ms") {
      if (!member.is_int64() || member.get_int64() < 1 || member.get_int64() > kTimeMostMs) {
        return wrong(name, fmt::format("a whole number from 1 to {}", kTimeMostMs));
      }
      call.time = std::chrono::milliseconds(member.get_int64());
    } else {
      return failure(Errc::kInvalid,
                     fmt::format("a call has no \"{}\": what there is: target, function, "
                                 "arguments, json, time_ms, capability",
                                 name));
    }
  }
  if (call.target.empty()) return wrong("target", "APP/COMPONENT or APP/PROVIDER");
  if (call.function.empty()) return wrong("function", "pkg:name/iface#func(args)");
  return call;
}

std::string AdminCall::write() const {
  json::object out;
  out["target"] = json_string(target);
  out["function"] = json_string(function);
  if (json) out["json"] = true;
  if (json || !arguments.empty()) out["arguments"] = json_string(arguments);
  if (!capability.empty()) out["capability"] = json_string(capability);
  if (time.count() > 0) out["time_ms"] = time.count();
  return json::serialize(out);
}

}  // namespace weft
