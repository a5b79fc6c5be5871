#include "node/events/event.h"

#include "base/check.h"
#include "node/object/fields.h"

namespace weft::node::events {
namespace {

enum EventField : std::uint16_t {
  kSequence = 1,
  kTime,
  kAction,
  kRequester,
  kGroup,
  kRequest,
  kModule,
  kFunction,
  kRefusal,
  kOutcome,
  kExitCode,
  kUsage,
  kStored,
};

// What stands for the outcome of what was refused.
constexpr std::uint8_t kNoOutcome = 0;

template <class T>
T value_or_none(BytesView bytes) {
  return bytes.size() == T::kBytes ? T::from(bytes) : T();
}

template <class Enum>
bool between(std::uint8_t value, Enum first, Enum last) {
  return value >= static_cast<std::uint8_t>(first) && value <= static_cast<std::uint8_t>(last);
}

}  // namespace

std::string_view to_string(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone: return "none";
    case Refusal::kForbidden: return "forbidden";
    case Refusal::kNotFound: return "not-found";
    case Refusal::kSeen: return "seen";
    case Refusal::kExpired: return "expired";
    case Refusal::kTooLong: return "too-long";
    case Refusal::kNotForUs: return "not-for-us";
    case Refusal::kMismatch: return "mismatch";
    case Refusal::kQuota: return "quota";
    case Refusal::kRate: return "rate";
    case Refusal::kDraining: return "draining";
    case Refusal::kUnsupported: return "unsupported";
    case Refusal::kFull: return "full";
    case Refusal::kFailed: return "failed";
  }
  return "?";
}

void append_event(Bytes& out, const Event& event) {
  CHECK(event.group.size() <= kGroupNameMax && event.function.size() <= kFunctionNameMax);
  FieldWriter fields(out);
  fields.u64(kSequence, event.sequence);
  fields.u64(kTime, event.time);
  fields.u8(kAction, static_cast<std::uint8_t>(event.action));
  fields.bytes(kRequester, event.requester.view());
  fields.text(kGroup, event.group);
  fields.bytes(kRequest, event.request.view());
  fields.bytes(kModule, event.module.view());
  fields.text(kFunction, event.function);
  fields.u8(kRefusal, static_cast<std::uint8_t>(event.refusal));
  fields.u8(kOutcome, event.refused() ? kNoOutcome : static_cast<std::uint8_t>(event.outcome));
  fields.u8(kExitCode, event.exit_code);
  fields.bytes(kUsage, usage_bytes(event.usage));
  fields.u64(kStored, event.stored_bytes);
}

Result<Event> read_event(BytesView record) {
  FieldReader fields(record);
  Event event;
  event.sequence = fields.u64(kSequence);
  event.time = fields.u64(kTime);
  std::uint8_t action = fields.u8(kAction);
  event.requester = value_or_none<PublicKey>(fields.exactly(kRequester, PublicKey::kBytes));
  event.group = fields.text(kGroup, kGroupNameMax);
  event.request = value_or_none<Hash>(fields.exactly(kRequest, Hash::kBytes));
  event.module = value_or_none<Hash>(fields.exactly(kModule, Hash::kBytes));
  event.function = fields.text(kFunction, kFunctionNameMax);
  std::uint8_t refusal = fields.u8(kRefusal);
  std::uint8_t outcome = fields.u8(kOutcome);
  event.exit_code = fields.u8(kExitCode);
  BytesView usage = fields.exactly(kUsage, kUsageBytes);
  event.stored_bytes = fields.u64(kStored);
  TRY_VOID(fields.finish());
  if (!between(action, Action::kDescribe, Action::kStore) ||
      !between(refusal, Refusal::kNone, Refusal::kFailed)) {
    return failure(Errc::kInvalid, "an action or a refusal that is not known here");
  }
  event.action = static_cast<Action>(action);
  event.refusal = static_cast<Refusal>(refusal);
  event.usage = read_usage(usage);
  if (event.refused()) {
    if (outcome == kNoOutcome) return event;
    return failure(Errc::kInvalid, "an event that was refused has an outcome");
  }
  if (!between(outcome, Outcome::kDone, Outcome::kUnfit)) {
    return failure(Errc::kInvalid, "an outcome that is not known here");
  }
  event.outcome = static_cast<Outcome>(outcome);
  return event;
}

Event event_of(const Receipt& receipt) {
  return {.time = receipt.ended,
          .action = receipt.action,
          .requester = receipt.requester,
          .group = receipt.group,
          .request = receipt.request,
          .module = receipt.module,
          .function = receipt.function,
          .outcome = receipt.outcome,
          .exit_code = receipt.exit_code,
          .usage = receipt.usage};
}

}  // namespace weft::node::events
