#include "node/object/request.h"

#include <sodium.h>

#include <algorithm>

namespace weft::node {
namespace {

enum Field : std::uint16_t {
  kAudience = kFirstField,
  kNonce,
  kMade,
  kExpires,
  kAction,
  kModule,
  kFunction,
  kArguments,
  kLimits,
  kRun,
  kFrom,
  kReply,
};

constexpr std::size_t kLimitsBytes = 4 * sizeof(std::uint64_t);

Bytes audience_bytes(const Audience& audience) {
  Bytes bytes{static_cast<std::uint8_t>(audience.kind)};
  if (audience.kind == Audience::Kind::kNode) {
    bytes.insert(bytes.end(), audience.node.bytes.begin(), audience.node.bytes.end());
  } else if (audience.kind == Audience::Kind::kGroup) {
    bytes.insert(bytes.end(), audience.group.begin(), audience.group.end());
  }
  return bytes;
}

Result<Audience> read_audience(BytesView bytes) {
  auto wrong = failure(Errc::kInvalid, "an audience that is none");
  if (bytes.empty()) return wrong;
  BytesView rest = bytes.subspan(1);
  switch (static_cast<Audience::Kind>(bytes[0])) {
    case Audience::Kind::kAnyone:
      if (!rest.empty()) return wrong;
      return Audience::anyone();
    case Audience::Kind::kNode:
      if (rest.size() != PublicKey::kBytes) return wrong;
      return Audience::of(PublicKey::from(rest));
    case Audience::Kind::kGroup:
      if (rest.empty() || rest.size() > kGroupNameMax) return wrong;
      // It is compared with names of folders, and those are checked.
      return Audience::of_group(std::string(as_text(rest)));
  }
  return wrong;
}

// A field that is there for some actions and empty for all others.
Result<Hash> read_hash(BytesView bytes, bool needed) {
  if (bytes.size() != (needed ? Hash::kBytes : 0)) {
    return failure(Errc::kInvalid, "a field that does not belong to what is asked");
  }
  return needed ? Hash::from(bytes) : Hash();
}

bool executes(Action action) {
  return action == Action::kRun || action == Action::kCall;
}
bool names_module(Action action) {
  return executes(action) || action == Action::kFetch || action == Action::kStore;
}
bool names_run(Action action) {
  return action == Action::kResume || action == Action::kCancel;
}

BytesView view_if(bool there, const Hash& hash) {
  return there ? hash.view() : BytesView();
}

}  // namespace

UnixMs unix_now() {
  using namespace std::chrono;
  auto ms = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  // A clock may be before 1970.
  return static_cast<UnixMs>(std::max<std::int64_t>(ms, 0));
}

std::string_view to_string(Action action) {
  switch (action) {
    case Action::kDescribe: return "describe";
    case Action::kFetch: return "fetch";
    case Action::kRun: return "run";
    case Action::kCall: return "call";
    case Action::kResume: return "resume";
    case Action::kCancel: return "cancel";
    case Action::kStore: return "store";
  }
  return "?";
}

Nonce random_nonce() {
  Nonce nonce;
  randombytes_buf(nonce.data(), nonce.size());
  return nonce;
}

Bytes sign(const Request& request, const SigningKey& key) {
  return sign_object(ObjectKind::kRequest, key, [&](FieldWriter& fields) {
    fields.bytes(kAudience, audience_bytes(request.audience));
    fields.bytes(kNonce, request.nonce);
    fields.u64(kMade, request.made);
    fields.u64(kExpires, request.expires);
    fields.u8(kAction, static_cast<std::uint8_t>(request.action));
    fields.bytes(kModule, view_if(names_module(request.action), request.module));
    fields.text(kFunction, request.function);
    fields.bytes(kArguments, view_if(executes(request.action), request.arguments));
    Bytes limits;
    if (executes(request.action)) {
      append_u64(limits, request.limits.cpu_ns);
      append_u64(limits, request.limits.memory_bytes);
      append_u64(limits, request.limits.time_ms);
      append_u64(limits, request.limits.output_bytes);
    }
    fields.bytes(kLimits, limits);
    fields.bytes(kRun, view_if(names_run(request.action), request.run));
    fields.u64(kFrom, request.from);
    fields.bytes(kReply, request.reply.view());
  });
}

Result<Request> read_request(const SignedView& view) {
  FieldReader fields = view.fields();
  Request request;
  BytesView audience = fields.bytes(kAudience, 1 + std::max(PublicKey::kBytes, kGroupNameMax));
  BytesView nonce = fields.exactly(kNonce, request.nonce.size());
  request.made = fields.u64(kMade);
  request.expires = fields.u64(kExpires);
  std::uint8_t action = fields.u8(kAction);
  BytesView module = fields.bytes(kModule, Hash::kBytes);
  request.function = fields.text(kFunction, kFunctionNameMax);
  BytesView arguments = fields.bytes(kArguments, Hash::kBytes);
  BytesView limits = fields.bytes(kLimits, kLimitsBytes);
  BytesView run = fields.bytes(kRun, Hash::kBytes);
  request.from = fields.u64(kFrom);
  BytesView reply = fields.exactly(kReply, PublicKey::kBytes);
  TRY_VOID(fields.finish());

  if (action < static_cast<std::uint8_t>(Action::kDescribe) ||
      action > static_cast<std::uint8_t>(Action::kStore)) {
    return failure(Errc::kInvalid, "an action that is not known here");
  }
  request.action = static_cast<Action>(action);
  TRY(request.audience, read_audience(audience));
  std::ranges::copy(nonce, request.nonce.begin());
  TRY(request.module, read_hash(module, names_module(request.action)));
  TRY(request.arguments, read_hash(arguments, executes(request.action)));
  TRY(request.run, read_hash(run, names_run(request.action)));
  if (request.function.empty() == (request.action == Action::kCall) ||
      limits.size() != (executes(request.action) ? kLimitsBytes : 0) ||
      (request.from != 0 && request.action != Action::kResume)) {
    return failure(Errc::kInvalid, "a field that does not belong to what is asked");
  }
  if (!limits.empty()) {
    request.limits.cpu_ns = read_u64(limits.subspan(0, 8));
    request.limits.memory_bytes = read_u64(limits.subspan(8, 8));
    request.limits.time_ms = read_u64(limits.subspan(16, 8));
    request.limits.output_bytes = read_u64(limits.subspan(24, 8));
  }
  request.reply = PublicKey::from(reply);
  return request;
}

}  // namespace weft::node
