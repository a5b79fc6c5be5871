#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace weft::remote::azure {

// Of the protocol: what requests mean and how they are answered.
inline constexpr std::string_view kVersion = "2026-02-06";

using Fields = std::vector<std::pair<std::string, std::string>>;

// A request as far as its signature is concerned.
struct ToSign {
  std::string_view method;
  std::string_view path;  // As it is sent.
  Fields query = {};      // Not yet encoded.
  std::size_t body_bytes = 0;
};

// Shared Key, for the services of one storage account. On one thread.
class Signer {
 public:
  using Time = std::chrono::system_clock::time_point;

  // `key` is the account's, as bytes.
  Signer(std::string account, Secret key) : account_(std::move(account)), key_(std::move(key)) {}

  // Adds x-ms-date, x-ms-version and authorization. All of `headers` whose names begin with x-ms-
  // is signed, and what HTTP has of ranges and conditions: names are in lower case.
  void sign(const ToSign& request, Fields& headers, Time now) const;

 private:
  const std::string account_;
  const Secret key_;
};

// The same headers for who is known by what stands in the URL.
void add_version(Fields& headers, Signer::Time now);

}  // namespace weft::remote::azure
