#include "node/object/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/check.h"
#include "base/fd.h"
#include "node/object/openssh_key.h"

namespace weft::node {
namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;
constexpr std::string_view kPrivateMark = "PRIVATE KEY-----";
constexpr std::string_view kPublicMark = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view kOpensshMark = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEncryptedMark = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Pkey = std::unique_ptr<EVP_PKEY, Free>;

Bio reader_of(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CHECK(bio != nullptr);
  return bio;
}

std::size_t count_of(std::string_view text, std::string_view mark) {
  std::size_t count = 0;
  for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) ++count;
  return count;
}

// Nobody is asked for a password.
int no_password(char*, int, int, void*) {
  return -1;
}

std::unexpected<Error> not_ed25519() {
  return failure(Errc::kUnsupported,
                 "it is no Ed25519 key, and nodes know no other kind: make one with `weft key new "
                 "FILE`, `openssl genpkey -algorithm ed25519` or `ssh-keygen -t ed25519`");
}

bool is_ed25519(const Pkey& key) {
  return EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519;
}

Result<SigningKey> parse_pkcs8(std::string_view text) {
  Bio bio = reader_of(text);
  Pkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (!key) return failure(Errc::kInvalid, "its private key in PEM does not read back");
  if (!is_ed25519(key)) return not_ed25519();
  std::string seed(SigningKey::kSeedBytes, '\0');
  std::size_t size = seed.size();
  CHECK(EVP_PKEY_get_raw_private_key(key.get(), reinterpret_cast<unsigned char*>(seed.data()),
                                     &size) == 1 &&
        size == seed.size());
  return SigningKey::from_seed(Secret(std::move(seed)));
}

Result<std::vector<NamedKey>> parse_spki(std::string_view text) {
  std::vector<NamedKey> keys;
  Bio bio = reader_of(text);
  while (Pkey key{PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr)}) {
    if (!is_ed25519(key)) return not_ed25519();
    NamedKey named;
    std::size_t size = PublicKey::kBytes;
    CHECK(EVP_PKEY_get_raw_public_key(key.get(), named.key.bytes.data(), &size) == 1 &&
          size == PublicKey::kBytes);
    keys.push_back(std::move(named));
    if (keys.size() > kKeysPerFileMax) {
      return failure(Errc::kLimit, fmt::format("it has more than {} keys", kKeysPerFileMax));
    }
  }
  ERR_clear_error();
  // It passes over what it does not know.
  if (keys.empty() || keys.size() != count_of(text, "-----BEGIN ")) {
    return failure(Errc::kInvalid, "a public key in PEM that does not read");
  }
  return keys;
}

// What was written by a program that reads from `bio`.
Secret text_of(const Bio& bio) {
  char* bytes = nullptr;
  long size = BIO_get_mem_data(bio.get(), &bytes);
  Secret text(std::string(bytes, static_cast<std::size_t>(size)));
  explicit_bzero(bytes, static_cast<std::size_t>(size));
  return text;
}

Secret private_key_pem(const SigningKey& key) {
  Pkey pkey(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                         reinterpret_cast<const unsigned char*>(key.seed().data()),
                                         key.seed().size()));
  Bio bio(BIO_new(BIO_s_mem()));
  CHECK(pkey != nullptr && bio != nullptr);
  CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), pkey.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr) == 1);
  return text_of(bio);
}

Result<void> write_all(const Fd& fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t count = ::write(fd.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("writing the key", errno);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0) return system_failure("flushing the key", errno);
  return {};
}

void flush_folder(const std::filesystem::path& folder) {
  Fd fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Where it cannot be flushed the key is there all the same, until a power cut soon.
  if (fd) ::fsync(fd.get());
}

struct KeyFileText {
  Secret text;
  mode_t mode = 0;
};

Result<KeyFileText> read_text(const std::filesystem::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return system_failure(fmt::format("opening {}", path.string()), errno);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return system_failure(path.string(), errno);
  if (!S_ISREG(info.st_mode)) {
    return failure(Errc::kInvalid,
                   fmt::format("{} is no file: name one with a key", path.string()));
  }
  // Made as long as it may get: what grows leaves copies behind.
  std::string text(kKeyFileBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    ssize_t count = ::read(fd.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure(fmt::format("reading {}", path.string()), errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > kKeyFileBytesMax) {
    return failure(Errc::kLimit, fmt::format("{} has more than {} bytes: it is no file of keys",
                                             path.string(), kKeyFileBytesMax));
  }
  text.resize(size);
  return KeyFileText{Secret(std::move(text)), info.st_mode & 07777};
}

// The private key of a file that was read.
Result<SigningKey> private_of(const KeyFileText& file, const std::filesystem::path& path) {
  if ((file.mode & kOthers) != 0) {
    return failure(Errc::kDenied,
                   fmt::format("others than its owner may use the key {} (mode {:04o}): chmod 600 "
                               "{}, and make a new one where somebody may have read it",
                               path.string(), file.mode, path.string()));
  }
  auto key = parse_private_key(file.text.reveal());
  if (!key) return std::unexpected(std::move(key).error().within(path.string()));
  return key;
}

}  // namespace

Result<void> write_new_key_file(const std::filesystem::path& path, const SigningKey& key) {
  Secret text = private_key_pem(key);
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd && errno == EEXIST) {
    return failure(Errc::kConflict, fmt::format("{} is there already, and no key is overwritten: "
                                                "name another file, or remove it",
                                                path.string()));
  }
  if (!fd) return system_failure(fmt::format("making {}", path.string()), errno);
  // Whatever the umask takes away is given back, and nothing more.
  Result<void> written = ::fchmod(fd.get(), 0600) == 0
                             ? write_all(fd, text.reveal())
                             : system_failure(fmt::format("chmod {}", path.string()), errno);
  if (!written) {
    ::unlink(path.c_str());
    return std::unexpected(std::move(written).error().within(path.string()));
  }
  flush_folder(path.parent_path());
  return {};
}

Result<SigningKey> parse_private_key(std::string_view text) {
  if (text.find(kEncryptedMark) != text.npos || text.find("Proc-Type: 4,ENCRYPTED") != text.npos) {
    return failure(Errc::kUnsupported,
                   "its key is encrypted, and a node has nobody to ask for the password: write it "
                   "without one, `openssl pkey -in OLD -out NEW`, mode 0600");
  }
  if (text.find(kOpensshMark) != text.npos) return parse_openssh_private(text);
  if (text.find(kPrivateMark) == text.npos) {
    return failure(Errc::kInvalid,
                   "there is no private key in it: make one with `weft key new FILE`");
  }
  return parse_pkcs8(text);
}

Result<SigningKey> read_key_file(const std::filesystem::path& path) {
  TRY(KeyFileText file, read_text(path));
  return private_of(file, path);
}

std::string public_key_pem(const PublicKey& key) {
  Pkey pkey(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.bytes.data(), key.bytes.size()));
  Bio bio(BIO_new(BIO_s_mem()));
  CHECK(pkey != nullptr && bio != nullptr);
  CHECK(PEM_write_bio_PUBKEY(bio.get(), pkey.get()) == 1);
  return std::string(text_of(bio).reveal());
}

Result<std::vector<NamedKey>> parse_public_keys(std::string_view text) {
  if (text.find(kPrivateMark) != text.npos) {
    return failure(Errc::kUnsupported,
                   "there is a private key in it: hand out the public one, as `weft key show FILE` "
                   "prints it");
  }
  if (text.find(kPublicMark) != text.npos) return parse_spki(text);
  TRY(std::vector<NamedKey> keys, parse_openssh_lines(text));
  if (keys.empty()) {
    return failure(Errc::kInvalid,
                   "there is no public key in it: write one in PEM (-----BEGIN PUBLIC KEY-----) or "
                   "as OpenSSH has it (ssh-ed25519 AAAA...)");
  }
  return keys;
}

Result<std::vector<NamedKey>> read_public_key_file(const std::filesystem::path& path) {
  TRY(KeyFileText file, read_text(path));
  auto keys = parse_public_keys(file.text.reveal());
  if (!keys) return std::unexpected(std::move(keys).error().within(path.string()));
  return keys;
}

Result<NamedKey> read_any_key_file(const std::filesystem::path& path) {
  TRY(KeyFileText file, read_text(path));
  if (file.text.reveal().find(kPrivateMark) != std::string_view::npos) {
    TRY(SigningKey key, private_of(file, path));
    return NamedKey{key.public_key(), {}};
  }
  auto keys = parse_public_keys(file.text.reveal());
  if (!keys) return std::unexpected(std::move(keys).error().within(path.string()));
  if (keys->size() != 1) {
    return failure(Errc::kInvalid, fmt::format("{} has {} keys: name a file with one",
                                               path.string(), keys->size()));
  }
  return std::move(keys->front());
}

}  // namespace weft::node
