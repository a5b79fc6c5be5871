#include "remote/aws/sigv4.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/check.h"
#include "base/sha256.h"

namespace weft::remote::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(text).data(),
             text.size(), out.data(), &size) != nullptr);
  return std::string(as_text({out.data(), size}));
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

// Without spaces around it, and with one in the place of several.
std::string collapsed(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string encode(std::string_view text, bool slashes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (unsigned char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_' || c == '.' || c == '~' || (c == '/' && !slashes);
    if (plain) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += kDigits[c >> 4];
      out += kDigits[c & 15];
    }
  }
  return out;
}

}  // namespace

std::string encoded(std::string_view text) {
  return encode(text, true);
}
std::string encoded_path(std::string_view path) {
  return encode(path, false);
}

std::string canonical_query(Fields parameters) {
  for (auto& [name, value] : parameters) {
    name = encoded(name);
    value = encoded(value);
  }
  std::ranges::sort(parameters);
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out += name;
    out += '=';
    out += value;
  }
  return out;
}

std::string_view Signer::key_of(std::string_view day) {
  if (day_ != day) {
    std::string secret = "AWS4" + std::string(credentials_.secret_access_key.reveal());
    key_ = Secret(hmac(hmac(hmac(hmac(secret, day), region_), service_), "aws4_request"));
    Secret wiped(std::move(secret));
    day_ = day;
  }
  return key_.reveal();
}

void Signer::sign(const ToSign& request, Fields& headers, Time now) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  std::string time = fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(seconds));
  std::string day = time.substr(0, 8);
  headers.emplace_back("x-amz-content-sha256", request.payload);
  headers.emplace_back("x-amz-date", time);
  if (!credentials_.session_token.reveal().empty()) {
    headers.emplace_back("x-amz-security-token", credentials_.session_token.reveal());
  }
  Fields sorted = headers;
  sorted.emplace_back("host", request.host);
  std::ranges::sort(sorted);
  std::string canonical = fmt::format("{}\n{}\n{}\n", request.method, request.path, request.query);
  std::string names;
  for (const auto& [name, value] : sorted) {
    canonical += fmt::format("{}:{}\n", name, collapsed(value));
    if (!names.empty()) names += ';';
    names += name;
  }
  canonical += fmt::format("\n{}\n{}", names, request.payload);
  std::string scope = fmt::format("{}/{}/{}/aws4_request", day, region_, service_);
  std::string text =
      fmt::format("{}\n{}\n{}\n{}", kAlgorithm, time, scope, sha256_hex(as_bytes(canonical)));
  headers.emplace_back(
      "authorization",
      fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                  credentials_.access_key_id, scope, names, hex(hmac(key_of(day), text))));
}

}  // namespace weft::remote::aws
