#include "capabilities/secrets/drivers/sealed_format.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "capabilities/secrets/source.h"

namespace weft::secrets {
namespace {

static_assert(SealingKey::kBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

constexpr std::string_view kMark = "weft-secrets 1\n";
constexpr std::string_view kMarkOfAnyVersion = "weft-secrets ";
constexpr std::string_view kIdContext = "weft secrets: which key";
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
// What is authenticated and not encrypted: the mark and the key's id.
constexpr std::size_t kFrontBytes = kMark.size() + kIdBytes;
constexpr std::size_t kHeadBytes = kFrontBytes + kNonceBytes;

void init_sodium() {
  // May be called often, from any thread.
  CHECK(sodium_init() >= 0);
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Numbers are little-endian, whatever the machine.
template <class T>
void put(std::string& out, T number) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out += static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i));
  }
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

// Reads what `put` wrote; whatever does not fit makes it fail for good.
class Parts {
 public:
  explicit Parts(std::string_view rest) : rest_(rest) {}

  template <class T>
  T number() {
    std::string_view text = take(sizeof(T));
    std::uint64_t value = 0;
    for (std::size_t i = text.size(); i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(text[i]);
    }
    return static_cast<T>(value);
  }
  std::string_view text(std::size_t most) {
    auto size = number<std::uint32_t>();
    if (size > most) failed_ = true;
    return failed_ ? std::string_view() : take(size);
  }
  bool whole() const { return !failed_ && rest_.empty(); }
  bool failed() const { return failed_; }

 private:
  std::string_view take(std::size_t size) {
    if (failed_ || rest_.size() < size) {
      failed_ = true;
      return {};
    }
    std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool failed_ = false;
};

Result<SealedEntries> read_entries(std::string_view plain) {
  Parts parts(plain);
  SealedEntries entries;
  auto count = parts.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && !parts.failed(); ++i) {
    std::string name(parts.text(kNameBytesMax));
    SealedEntry entry{Secret(std::string(parts.text(kValueBytesMax))), 0, 0};
    entry.created = parts.number<std::int64_t>();
    entry.changed = parts.number<std::int64_t>();
    entries.insert_or_assign(std::move(name), std::move(entry));
  }
  if (parts.whole() && entries.size() == count) return entries;
  return failure(Errc::kCorrupt, "what is sealed in it does not read back");
}

std::string front_of(const SealingKey& key) {
  std::string front(kMark);
  for (std::uint8_t byte : key.id()) front += static_cast<char>(byte);
  return front;
}

}  // namespace

SealingKey SealingKey::random() {
  init_sodium();
  std::string bytes(kBytes, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  return SealingKey(Secret(std::move(bytes)));
}

Result<SealingKey> SealingKey::parse(std::string_view text) {
  init_sodium();
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::string bytes(kBytes, '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  int outcome = sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                               text.data(), text.size(), nullptr, &size, &end);
  Secret read(std::move(bytes));
  if (outcome != 0 || size != kBytes || end != text.data() + text.size()) {
    return failure(Errc::kCorrupt, "it is no key of weft: that has 64 hexadecimal digits");
  }
  return SealingKey(std::move(read));
}

Secret SealingKey::text() const {
  std::string text(2 * kBytes + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes_of(bytes()), kBytes);
  text.back() = '\n';
  return Secret(std::move(text));
}

std::array<std::uint8_t, 16> SealingKey::id() const {
  std::array<std::uint8_t, kIdBytes> id{};
  crypto_generichash(id.data(), id.size(), bytes_of(kIdContext), kIdContext.size(),
                     bytes_of(bytes()), kBytes);
  return id;
}

Result<Bytes> seal(const SealedEntries& entries, const SealingKey& key) {
  if (entries.size() > kSecretsMax) {
    return failure(Errc::kLimit, fmt::format("there are {} secrets already, and a file has at most "
                                             "that many",
                                             kSecretsMax));
  }
  std::size_t size = sizeof(std::uint32_t);
  for (const auto& [name, entry] : entries) {
    size += 2 * sizeof(std::uint32_t) + 2 * sizeof(std::int64_t) + name.size() +
            entry.value.reveal().size();
  }
  if (size > kSealedBytesMax - kHeadBytes - kTagBytes) {
    return failure(Errc::kLimit,
                   fmt::format("all secrets together have at most {} bytes", kSealedBytesMax));
  }
  std::string text;
  text.reserve(size);  // Growing would leave copies behind.
  put(text, static_cast<std::uint32_t>(entries.size()));
  for (const auto& [name, entry] : entries) {
    put_text(text, name);
    put_text(text, entry.value.reveal());
    put(text, entry.created);
    put(text, entry.changed);
  }
  Secret plain(std::move(text));
  std::string front = front_of(key);
  Bytes file(kHeadBytes + size + kTagBytes);
  std::ranges::copy(as_bytes(front), file.begin());
  unsigned char* nonce = file.data() + kFrontBytes;
  randombytes_buf(nonce, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(file.data() + kHeadBytes, nullptr,
                                             bytes_of(plain.reveal()), size, bytes_of(front),
                                             front.size(), nullptr, nonce, bytes_of(key.bytes()));
  return file;
}

Result<SealedEntries> unseal(BytesView file, const SealingKey& key) {
  std::string_view text = as_text(file);
  if (!text.starts_with(kMark)) {
    if (text.starts_with(kMarkOfAnyVersion)) {
      return failure(Errc::kUnsupported, "another version of weft wrote it: use that one");
    }
    return failure(Errc::kCorrupt, "it is no file of weft's secrets");
  }
  if (text.size() < kHeadBytes + kTagBytes) {
    return failure(Errc::kCorrupt, "it is cut short: bring it back from a copy");
  }
  std::string front = front_of(key);
  if (!text.starts_with(front)) {
    return failure(Errc::kDenied, "it was sealed with another key: bring that key back");
  }
  std::string plain(file.size() - kHeadBytes - kTagBytes, '\0');
  int outcome = crypto_aead_xchacha20poly1305_ietf_decrypt(
      reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr, file.data() + kHeadBytes,
      file.size() - kHeadBytes, bytes_of(front), front.size(), file.data() + kFrontBytes,
      bytes_of(key.bytes()));
  Secret opened(std::move(plain));
  if (outcome != 0) {
    return failure(Errc::kCorrupt,
                   "it is damaged, or somebody has changed it: bring it back from a copy");
  }
  return read_entries(opened.reveal());
}

}  // namespace weft::secrets
