#include "node/object/receipt.h"

#include <algorithm>

#include "base/check.h"

namespace weft::node {
namespace {

enum SealField : std::uint16_t {
  kSealRequest = kFirstField,
  kSealFrames,
  kSealChain,
  kSealLast,
};

enum ReceiptField : std::uint16_t {
  kRequest = kFirstField,
  kRequester,
  kGroup,
  kAction,
  kModule,
  kFunction,
  kOutcome,
  kExitCode,
  kMessage,
  kUsage,
  kBegan,
  kEnded,
  kFrames,
  kChain,
  kEvent,
};

Hash hash_or_none(BytesView bytes) {
  return bytes.size() == Hash::kBytes ? Hash::from(bytes) : Hash();
}
PublicKey key_or_none(BytesView bytes) {
  return bytes.size() == PublicKey::kBytes ? PublicKey::from(bytes) : PublicKey();
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone: return "done";
    case Outcome::kTrapped: return "trapped";
    case Outcome::kLimited: return "limited";
    case Outcome::kCancelled: return "cancelled";
    case Outcome::kFailed: return "failed";
    case Outcome::kUnfit: return "unfit";
  }
  return "?";
}

Usage& Usage::operator+=(const Usage& other) {
  cpu_ns += other.cpu_ns;
  compile_ns += other.compile_ns;
  memory_peak_bytes = std::max(memory_peak_bytes, other.memory_peak_bytes);
  memory_byte_ms += other.memory_byte_ms;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  return *this;
}

Bytes usage_bytes(const Usage& usage) {
  Bytes bytes;
  for (std::uint64_t value : {usage.cpu_ns, usage.compile_ns, usage.memory_peak_bytes,
                              usage.memory_byte_ms, usage.bytes_in, usage.bytes_out}) {
    append_u64(bytes, value);
  }
  return bytes;
}

Usage read_usage(BytesView bytes) {
  CHECK(bytes.size() == kUsageBytes);
  auto at = [&](std::size_t index) { return read_u64(bytes.subspan(index * 8, 8)); };
  return {.cpu_ns = at(0),
          .compile_ns = at(1),
          .memory_peak_bytes = at(2),
          .memory_byte_ms = at(3),
          .bytes_in = at(4),
          .bytes_out = at(5)};
}

Hash next_chain(const Hash& chain, std::uint8_t stream, BytesView bytes) {
  Hasher hasher;
  hasher.add(chain.view());
  hasher.add(BytesView(&stream, 1));
  hasher.add(bytes);
  return hasher.finish();
}

Bytes sign(const Seal& seal, const SigningKey& node) {
  return sign_object(ObjectKind::kSeal, node, [&](FieldWriter& fields) {
    fields.bytes(kSealRequest, seal.request.view());
    fields.u64(kSealFrames, seal.frames);
    fields.bytes(kSealChain, seal.chain.view());
    fields.u8(kSealLast, seal.last ? 1 : 0);
  });
}

Result<Seal> read_seal(const SignedView& view) {
  FieldReader fields = view.fields();
  Seal seal;
  seal.request = hash_or_none(fields.exactly(kSealRequest, Hash::kBytes));
  seal.frames = fields.u64(kSealFrames);
  seal.chain = hash_or_none(fields.exactly(kSealChain, Hash::kBytes));
  std::uint8_t last = fields.u8(kSealLast);
  TRY_VOID(fields.finish());
  if (last > 1) return failure(Errc::kInvalid, "a seal with a field that is none");
  seal.last = last == 1;
  return seal;
}

Bytes sign(const Receipt& receipt, const SigningKey& node) {
  return sign_object(ObjectKind::kReceipt, node, [&](FieldWriter& fields) {
    fields.bytes(kRequest, receipt.request.view());
    fields.bytes(kRequester, receipt.requester.view());
    fields.text(kGroup, receipt.group);
    fields.u8(kAction, static_cast<std::uint8_t>(receipt.action));
    fields.bytes(kModule, receipt.module.view());
    fields.text(kFunction, receipt.function);
    fields.u8(kOutcome, static_cast<std::uint8_t>(receipt.outcome));
    fields.u8(kExitCode, receipt.exit_code);
    fields.text(kMessage, receipt.message);
    fields.bytes(kUsage, usage_bytes(receipt.usage));
    fields.u64(kBegan, receipt.began);
    fields.u64(kEnded, receipt.ended);
    fields.u64(kFrames, receipt.frames);
    fields.bytes(kChain, receipt.chain.view());
    fields.u64(kEvent, receipt.event);
  });
}

Result<Receipt> read_receipt(const SignedView& view) {
  FieldReader fields = view.fields();
  Receipt receipt;
  receipt.request = hash_or_none(fields.exactly(kRequest, Hash::kBytes));
  receipt.requester = key_or_none(fields.exactly(kRequester, PublicKey::kBytes));
  receipt.group = fields.text(kGroup, kGroupNameMax);
  std::uint8_t action = fields.u8(kAction);
  receipt.module = hash_or_none(fields.exactly(kModule, Hash::kBytes));
  receipt.function = fields.text(kFunction, kFunctionNameMax);
  std::uint8_t outcome = fields.u8(kOutcome);
  receipt.exit_code = fields.u8(kExitCode);
  receipt.message = fields.text(kMessage, kReceiptMessageMax);
  BytesView usage = fields.exactly(kUsage, kUsageBytes);
  receipt.began = fields.u64(kBegan);
  receipt.ended = fields.u64(kEnded);
  receipt.frames = fields.u64(kFrames);
  receipt.chain = hash_or_none(fields.exactly(kChain, Hash::kBytes));
  receipt.event = fields.u64(kEvent);
  TRY_VOID(fields.finish());
  if (action < static_cast<std::uint8_t>(Action::kDescribe) ||
      action > static_cast<std::uint8_t>(Action::kStore) ||
      outcome < static_cast<std::uint8_t>(Outcome::kDone) ||
      outcome > static_cast<std::uint8_t>(Outcome::kUnfit)) {
    return failure(Errc::kInvalid, "an action or an outcome that is not known here");
  }
  receipt.action = static_cast<Action>(action);
  receipt.outcome = static_cast<Outcome>(outcome);
  receipt.usage = read_usage(usage);
  return receipt;
}

}  // namespace weft::node
