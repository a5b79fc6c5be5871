#include "node/object/signed.h"

#include <array>
#include <cstring>

#include "base/check.h"

namespace weft::node {
namespace {

// "weft", the version, the kind, the length of the fields (4 bytes, little endian).
constexpr std::array<std::uint8_t, 5> kMagic{'w', 'e', 'f', 't', 1};
constexpr std::size_t kHeadBytes = kMagic.size() + 1 + sizeof(std::uint32_t);
// What is signed begins with this, which no other thing that weft signs begins with.
constexpr std::string_view kPrefix = "weft signed object\n";

// Prefix and object in one piece. Small ones, as nearly all are, stay on the stack.
class Message {
 public:
  explicit Message(BytesView object) : size_(kPrefix.size() + object.size()) {
    std::uint8_t* to = small_.data();
    if (size_ > small_.size()) {
      large_.resize(size_);
      to = large_.data();
    }
    std::memcpy(to, kPrefix.data(), kPrefix.size());
    if (!object.empty()) std::memcpy(to + kPrefix.size(), object.data(), object.size());
  }
  BytesView view() const { return {size_ > small_.size() ? large_.data() : small_.data(), size_}; }

 private:
  std::size_t size_;
  std::array<std::uint8_t, 2048> small_;
  Bytes large_;
};

}  // namespace

void begin_object(Bytes& out, ObjectKind kind) {
  out.assign(kMagic.begin(), kMagic.end());
  out.push_back(static_cast<std::uint8_t>(kind));
  out.resize(kHeadBytes);
}

void end_object(Bytes& out, const SigningKey& key) {
  auto length = static_cast<std::uint32_t>(out.size() - kHeadBytes);
  std::memcpy(out.data() + kMagic.size() + 1, &length, sizeof length);
  Signature signature = key.sign(Message(out).view());
  out.insert(out.end(), signature.begin(), signature.end());
}

Result<SignedView> SignedView::open(BytesView bytes, ObjectKind kind) {
  if (bytes.size() < kHeadBytes + kSignatureBytes ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return failure(Errc::kInvalid, "no signed object of a version that is known here");
  }
  if (bytes[kMagic.size()] != static_cast<std::uint8_t>(kind)) {
    return failure(Errc::kInvalid, "a signed object of another kind");
  }
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + kMagic.size() + 1, sizeof length);
  if (length != bytes.size() - kHeadBytes - kSignatureBytes) {
    return failure(Errc::kInvalid, "a signed object whose length is not what it says");
  }
  SignedView view;
  view.bytes_ = bytes;
  BytesView fields = bytes.subspan(kHeadBytes, length);
  // The signer is always the first field: 6 bytes of head, then the key.
  constexpr std::size_t kSignerBytes = 6 + PublicKey::kBytes;
  FieldReader reader(fields.first(std::min<std::size_t>(fields.size(), kSignerBytes)));
  BytesView signer = reader.exactly(kSignerField, PublicKey::kBytes);
  TRY_VOID(reader.finish());
  view.signer_ = PublicKey::from(signer);
  view.fields_ = fields.subspan(kSignerBytes);
  return view;
}

bool SignedView::verify() const {
  return signer_.verify(Message(bytes_.first(bytes_.size() - kSignatureBytes)).view(),
                        bytes_.last(kSignatureBytes));
}

}  // namespace weft::node
