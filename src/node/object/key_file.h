#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "node/object/key.h"

namespace weft::node {

// Of a file of keys; a file of public keys may have many.
inline constexpr std::size_t kKeyFileBytesMax = 256 << 10;
inline constexpr std::size_t kKeysPerFileMax = 1'000;

// A public key and what stands behind it in an OpenSSH line: who it is of, by its maker's word.
struct NamedKey {
  PublicKey key = {};
  std::string comment = {};
};

// All of these: from any thread. No message has anything of a private key in it.

// A private key as PKCS#8 in PEM, in a new file that only its owner may use (mode 0600), flushed.
// kConflict where there is a file already: no key is ever overwritten.
Result<void> write_new_key_file(const std::filesystem::path& path, const SigningKey& key);

// PKCS#8 in PEM, or OpenSSH's own format; kUnsupported for an encrypted key or one that is not
// Ed25519. kDenied for a file that others than its owner may read or write.
Result<SigningKey> read_key_file(const std::filesystem::path& path);
Result<SigningKey> parse_private_key(std::string_view text);

// "-----BEGIN PUBLIC KEY-----" and so on, with a newline at the end.
std::string public_key_pem(const PublicKey& key);
// "ssh-ed25519 AAAA... comment", without a newline.
std::string openssh_line(const PublicKey& key, std::string_view comment);

// PEM, one or several, or lines of OpenSSH's, with empty ones and those that begin with # between
// them. kInvalid where there is none; kUnsupported for a key that is not Ed25519, or for a private
// one, which nobody should hand out.
Result<std::vector<NamedKey>> parse_public_keys(std::string_view text);
Result<std::vector<NamedKey>> read_public_key_file(const std::filesystem::path& path);

// The public key of a file of either kind, if it has just one.
Result<NamedKey> read_any_key_file(const std::filesystem::path& path);

}  // namespace weft::node
