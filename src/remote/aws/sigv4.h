#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace weft::remote::aws {

struct Credentials {
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token = {};  // Of temporary ones; empty: none.
};

// What stands for a body that is not signed.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

using Fields = std::vector<std::pair<std::string, std::string>>;

// A request as far as a signature is concerned. Everything is as it is sent.
struct ToSign {
  std::string_view method;
  std::string_view path;   // Encoded.
  std::string_view query;  // Out of canonical_query; without the question mark.
  std::string_view host;   // As the header has it: with a port that is not the scheme's own.
  // The body's SHA-256 in hexadecimal digits, or kUnsignedPayload.
  std::string_view payload;
};

// Signature Version 4 for one service in one region. Keeps the day's key. On one thread.
class Signer {
 public:
  using Time = std::chrono::system_clock::time_point;

  Signer(Credentials credentials, std::string region, std::string service)
      : credentials_(std::move(credentials)),
        region_(std::move(region)),
        service_(std::move(service)) {}

  // Adds x-amz-date, x-amz-content-sha256, authorization and, where there is one, the session's
  // token. All of `headers` is signed: names are in lower case.
  void sign(const ToSign& request, Fields& headers, Time now);

 private:
  std::string_view key_of(std::string_view day);

  const Credentials credentials_;
  const std::string region_;
  const std::string service_;
  std::string day_;
  Secret key_;
};

// With everything but letters, digits and -._~ as %XX; of a path the slashes stay too.
std::string encoded(std::string_view text);
std::string encoded_path(std::string_view path);
// Parameters, not yet encoded, as they are sent and signed.
std::string canonical_query(Fields parameters);

}  // namespace weft::remote::aws
