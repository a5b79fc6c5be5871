#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/secret.h"

namespace weft::remote::nats {

// A user's key pair of Ed25519, in NATS's spelling: base32 with a letter for the kind before it and
// a checksum behind it.
class Nkey {
 public:
  // From "SU..." . kInvalid where it is none; the message does not show it.
  static Result<Nkey> from_seed(std::string_view seed);

  // "U..."
  std::string public_key() const;
  // The signature of a server's nonce, as CONNECT has it.
  std::string sign(std::string_view nonce) const;

 private:
  Nkey() = default;

  std::string public_;
  Secret private_;
};

struct Credentials {
  Secret jwt;
  Secret seed;
};

// The text of a file of credentials, as NATS's tools write it. kInvalid where it is none.
Result<Credentials> parse_credentials(std::string_view text);

}  // namespace weft::remote::nats
