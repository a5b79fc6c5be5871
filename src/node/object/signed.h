#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "node/object/fields.h"
#include "node/object/hash.h"
#include "node/object/key.h"

namespace weft::node {

// What is signed. The number is under the signature: an object of one kind is none of another.
enum class ObjectKind : std::uint8_t { kRequest = 1, kBeacon = 2, kSeal = 3, kReceipt = 4 };

// The field of every signed object that says who signed it.
inline constexpr std::uint16_t kSignerField = 1;
// The first field that is a kind's own.
inline constexpr std::uint16_t kFirstField = 2;

// For sign_object: what stands before the fields, and what has to be behind them.
void begin_object(Bytes& out, ObjectKind kind);
void end_object(Bytes& out, const SigningKey& key);

// Writes a signed object: a head, the signer, the fields that `write` adds, the signature.
template <class Write>
Bytes sign_object(ObjectKind kind, const SigningKey& key, Write&& write) {
  Bytes out;
  begin_object(out, kind);
  FieldWriter fields(out);
  fields.bytes(kSignerField, key.public_key().view());
  write(fields);
  end_object(out, key);
  return out;
}

// Bytes that say they are a signed object. Borrows them.
class SignedView {
 public:
  // kInvalid where they are none of that kind, whole, with nothing behind. Allocates nothing.
  static Result<SignedView> open(BytesView bytes, ObjectKind kind);

  // Who is said to have signed it.
  const PublicKey& signer() const { return signer_; }
  // The kind's own fields.
  FieldReader fields() const { return FieldReader(fields_); }
  // Whether the signer did sign it.
  bool verify() const;
  // The hash of all of it: its name.
  Hash hash() const { return Hash::of(bytes_); }

 private:
  BytesView bytes_;
  BytesView fields_;
  PublicKey signer_;
};

}  // namespace weft::node
