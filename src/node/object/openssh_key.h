#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/object/key_file.h"

namespace weft::node {

// OpenSSH's own forms, for key_file.h. From any thread.

// "-----BEGIN OPENSSH PRIVATE KEY-----": kUnsupported where it is encrypted or not Ed25519.
Result<SigningKey> parse_openssh_private(std::string_view text);
// Lines "ssh-ed25519 AAAA... comment"; none is no failure.
Result<std::vector<NamedKey>> parse_openssh_lines(std::string_view text);

}  // namespace weft::node
