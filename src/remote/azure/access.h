#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/secret.h"
#include "remote/health.h"

namespace weft::remote::azure {

// What an operator wrote. Empty: not said.
struct Access {
  std::string account = {};
  Secret key = {};  // In base64.
  Secret sas = {};
  std::string container = {};
  Secret url = {};
  std::string ca_file = {};
  std::chrono::milliseconds timeout{30'000};
};

// Where a container is, and who asks.
struct Settings {
  std::string scheme = "https";
  std::string host = {};  // With a port that is not the scheme's own.
  std::string path = {};  // Before the container: "/devstoreaccount1", or nothing.
  std::string account = {};
  Secret key = {};  // As bytes; empty where there is a `sas`.
  Secret sas = {};  // Without its question mark.
  std::string container = {};
  std::string ca_file = {};
  std::chrono::milliseconds timeout{30'000};
  // What the clients see of the server. Shared by them; null where nobody wants to know.
  std::shared_ptr<Health> health = nullptr;
};

// kInvalid with what to write instead, or what is wrong with the file of authorities. No message
// holds a secret.
Result<Settings> read_access(const Access& access);

// Whether what is sent crosses a network as plain text.
bool unencrypted(const Settings& settings);

}  // namespace weft::remote::azure
