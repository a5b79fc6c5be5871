#include "remote/azure/shared_key.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/check.h"
#include "remote/base64.h"

namespace weft::remote::azure {
namespace {

constexpr std::string_view kOwn = "x-ms-";
// In the order in which they are signed, around the body's length.
constexpr std::array<std::string_view, 2> kBeforeLength{"content-encoding", "content-language"};
constexpr std::array<std::string_view, 8> kBehindLength{
    "content-md5",   "content-type",        "date", "if-modified-since", "if-match",
    "if-none-match", "if-unmodified-since", "range"};

std::string_view value_of(const Fields& headers, std::string_view name) {
  for (const auto& [each, value] : headers) {
    if (each == name) return value;
  }
  return {};
}

std::string hmac_base64(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(text).data(),
             text.size(), out.data(), &size) != nullptr);
  return base64({out.data(), size});
}

}  // namespace

void add_version(Fields& headers, Signer::Time now) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  headers.emplace_back("x-ms-date",
                       fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(seconds)));
  headers.emplace_back("x-ms-version", kVersion);
}

void Signer::sign(const ToSign& request, Fields& headers, Time now) const {
  add_version(headers, now);
  std::string text(request.method);
  auto line = [&](std::string_view value) {
    text += '\n';
    text += value;
  };
  for (std::string_view name : kBeforeLength) line(value_of(headers, name));
  line(request.body_bytes == 0 ? "" : std::to_string(request.body_bytes));
  for (std::string_view name : kBehindLength) line(value_of(headers, name));
  Fields own;
  std::ranges::copy_if(headers, std::back_inserter(own),
                       [](const auto& each) { return each.first.starts_with(kOwn); });
  std::ranges::sort(own);
  for (const auto& [name, value] : own) line(fmt::format("{}:{}", name, value));
  line(fmt::format("/{}{}", account_, request.path));
  Fields query = request.query;
  for (auto& [name, value] : query) {
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  std::ranges::sort(query);
  for (const auto& [name, value] : query) line(fmt::format("{}:{}", name, value));
  headers.emplace_back("authorization",
                       fmt::format("SharedKey {}:{}", account_, hmac_base64(key_.reveal(), text)));
}

}  // namespace weft::remote::azure
