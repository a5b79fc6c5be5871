#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/secret.h"
#include "capabilities/secrets/source.h"

namespace weft::secrets {

// Where a secret is in a Vault, or what speaks its HTTP interface: a KV engine of version 2.
struct VaultSettings {
  std::string address = {};  // https://vault.example.com:8200
  std::string mount = "secret";
  std::string path = {};  // In the mount; empty: the secret's own name.
  std::string key = "value";
  // One of the two; the file is read for each request, because an agent may put another in it.
  Secret token = {};
  std::string token_file = {};
  std::string name_space = {};  // X-Vault-Namespace; empty: none.
  std::string ca_file = {};     // Trusted beside the system's; empty: none.
  // Of one read, from beginning to end.
  std::chrono::milliseconds timeout = kTimeoutByDefault;

  static constexpr std::chrono::milliseconds kTimeoutByDefault{5000};
};

// `vault`: each read is a request, so that a new value is seen at once. Nothing is asked before the
// first read. What is not there, or was deleted, is kNotFound; what Vault refuses kDenied.
Result<std::unique_ptr<Source>> vault_source(VaultSettings settings);

}  // namespace weft::secrets
