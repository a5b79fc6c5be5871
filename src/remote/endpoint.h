#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/secret.h"

namespace weft {
class TlsClient;
}

namespace weft::remote {

// Where a server is, and how it is spoken to.
struct Endpoint {
  std::string host;  // A name or an address; without brackets.
  std::uint16_t port = 0;
  // Shared by the connections of all loops. Null: plain.
  std::shared_ptr<const TlsClient> tls = nullptr;

  std::string text() const;
};

// A server's URL in its parts: scheme://[user[:password]@]host[:port][/path]
struct ServerUrl {
  std::string scheme;
  std::string user;
  Secret password;
  std::string host;
  std::uint16_t port = 0;  // 0: the scheme's own.
  std::string path;        // Without the slash.

  // How a driver's servers are written: mqtt://HOST:1883 or, with TLS, mqtts://HOST.
  struct Form {
    std::string_view plain;
    std::string_view tls;
    std::uint16_t port;  // Of `plain`.
  };

  // kInvalid, with what is wrong. The message never holds the URL, which may hold a password.
  static Result<ServerUrl> parse(std::string_view text);
  // The same, with one of the form's two schemes.
  static Result<ServerUrl> parse(std::string_view text, const Form& form);
};

}  // namespace weft::remote
