#include "node/object/openssh_key.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "base/check.h"

namespace weft::node {
namespace {

constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::string_view kMagic("openssh-key-v1\0", 15);
constexpr std::string_view kType = "ssh-ed25519";
constexpr std::size_t kCommentMax = 200;

// Strings and numbers as SSH has them: big endian, each behind its length. The first that is not
// there empties the rest.
class SshReader {
 public:
  explicit SshReader(std::string_view bytes) : rest_(bytes) {}

  std::uint32_t number() {
    std::uint32_t value = 0;
    if (rest_.size() < sizeof value) return fail(), 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(rest_[i]);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view text() {
    std::size_t size = number();
    if (size > rest_.size()) return fail(), std::string_view();
    std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  std::string_view rest() const { return rest_; }
  bool failed() const { return failed_; }

 private:
  void fail() {
    failed_ = true;
    rest_ = {};
  }
  std::string_view rest_;
  bool failed_ = false;
};

// Nothing where it is none. Room is taken for what is there, never for what it says it has.
Result<Secret> from_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), "\r\n \t", &size, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != text.data() + text.size()) {
    return failure(Errc::kInvalid, "a key of OpenSSH's whose base64 does not read");
  }
  bytes.resize(size);
  return Secret(std::move(bytes));
}

// The padding of a private part: 1, 2, 3 and so on, shorter than a block.
bool is_padding(std::string_view bytes) {
  constexpr std::size_t kBlockMax = 16;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (static_cast<std::uint8_t>(bytes[i]) != i + 1) return false;
  }
  return bytes.size() < kBlockMax;
}

std::unexpected<Error> not_ed25519(std::string_view type) {
  return failure(Errc::kUnsupported,
                 fmt::format("it has a key of the kind \"{}\", and nodes know Ed25519 only: "
                             "`ssh-keygen -t ed25519` makes one",
                             type.substr(0, 40)));
}

Result<SigningKey> parse_private_part(std::string_view bytes) {
  auto broken = failure(Errc::kInvalid, "its private key of OpenSSH's does not read back");
  SshReader reader(bytes);
  std::uint32_t first = reader.number();
  std::uint32_t second = reader.number();
  std::string_view type = reader.text();
  if (reader.failed() || first != second) return broken;
  if (type != kType) return not_ed25519(type);
  std::string_view pub = reader.text();
  std::string_view pair = reader.text();
  reader.text();  // The comment.
  if (reader.failed() || pub.size() != PublicKey::kBytes ||
      pair.size() != SigningKey::kSeedBytes + PublicKey::kBytes || !is_padding(reader.rest())) {
    return broken;
  }
  TRY(SigningKey key,
      SigningKey::from_seed(Secret(std::string(pair.substr(0, SigningKey::kSeedBytes)))));
  if (as_text(key.public_key().view()) != pub) return broken;
  return key;
}

std::string_view word(std::string_view& line) {
  std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
  std::string_view found = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return found;
}

std::string comment_of(std::string_view text) {
  std::string comment;
  for (char c : text.substr(std::min(text.find_first_not_of(" \t"), text.size()))) {
    if (comment.size() < kCommentMax && c >= ' ' && c != '\x7f') comment += c;
  }
  return comment;
}

Result<NamedKey> parse_line(std::string_view line) {
  std::string_view type = word(line);
  std::string_view base64 = word(line);
  if (type != kType) {
    // Options in front, or a certificate: what they say would not be kept.
    if (type.starts_with("ssh-") || type.starts_with("ecdsa-") || type.starts_with("sk-")) {
      return not_ed25519(type);
    }
    return failure(Errc::kInvalid,
                   "a line that is no public key: write ssh-ed25519 AAAA... and, if you like, a "
                   "comment");
  }
  TRY(Secret bytes, from_base64(base64));
  SshReader reader(bytes.reveal());
  std::string_view inner = reader.text();
  std::string_view key = reader.text();
  if (reader.failed() || inner != kType || key.size() != PublicKey::kBytes ||
      !reader.rest().empty()) {
    return failure(Errc::kInvalid, "a public key of OpenSSH's that does not read");
  }
  return NamedKey{PublicKey::from(as_bytes(key)), comment_of(line)};
}

}  // namespace

Result<SigningKey> parse_openssh_private(std::string_view text) {
  std::size_t begin = text.find(kBegin);
  std::size_t end = text.find(kEnd);
  if (begin == text.npos || end == text.npos || end < begin + kBegin.size()) {
    return failure(Errc::kInvalid, "its private key of OpenSSH's is cut off");
  }
  begin += kBegin.size();
  TRY(Secret bytes, from_base64(text.substr(begin, end - begin)));
  std::string_view all = bytes.reveal();
  if (!all.starts_with(kMagic)) {
    return failure(Errc::kInvalid, "its private key of OpenSSH's is of a version not known here");
  }
  SshReader reader(all.substr(kMagic.size()));
  std::string_view cipher = reader.text();
  std::string_view kdf = reader.text();
  reader.text();  // The options of that.
  std::uint32_t count = reader.number();
  reader.text();  // The public key, which the private part has again.
  std::string_view part = reader.text();
  if (reader.failed() || count != 1 || !reader.rest().empty()) {
    return failure(Errc::kInvalid, "its private key of OpenSSH's does not read back");
  }
  if (cipher != "none" || kdf != "none") {
    return failure(Errc::kUnsupported,
                   "its key is encrypted, and a node has nobody to ask for the password: write a "
                   "copy without one, `ssh-keygen -p -N '' -f COPY`");
  }
  return parse_private_part(part);
}

std::string openssh_line(const PublicKey& key, std::string_view comment) {
  std::string blob;
  auto add = [&](std::string_view value) {
    blob.append(3, '\0');
    blob += static_cast<char>(value.size());
    blob += value;
  };
  add(kType);
  add(as_text(key.view()));
  std::string base64(sodium_base64_encoded_len(blob.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(base64.data(), base64.size(),
                    reinterpret_cast<const unsigned char*>(blob.data()), blob.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  base64.pop_back();  // What ends it in C.
  std::string line = fmt::format("{} {}", kType, base64);
  if (std::string clean = comment_of(comment); !clean.empty()) line += " " + clean;
  return line;
}

Result<std::vector<NamedKey>> parse_openssh_lines(std::string_view text) {
  std::vector<NamedKey> keys;
  std::size_t number = 0;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::size_t first = line.find_first_not_of(" \t");
    if (first == line.npos || line[first] == '#') continue;
    auto key = parse_line(line);
    if (!key) return std::unexpected(std::move(key).error().within(fmt::format("line {}", number)));
    if (keys.size() == kKeysPerFileMax) {
      return failure(Errc::kLimit, fmt::format("it has more than {} keys", kKeysPerFileMax));
    }
    keys.push_back(*std::move(key));
  }
  return keys;
}

}  // namespace weft::node
