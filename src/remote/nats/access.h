#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "remote/nats/client.h"

namespace weft::remote::nats {

// How an operator says where a server is and who comes, whatever it is used for.
struct Access {
  Secret url = {};  // One or several with commas between them.
  std::string username = {};
  Secret password = {};
  Secret token = {};
  Secret nkey = {};
  std::string credentials_file = {};
  std::string ca_file = {};
  std::chrono::milliseconds timeout{5'000};
};

// kInvalid, or what is wrong with one of the files. No message shows a secret.
Result<Settings> read_access(const Access& access);

}  // namespace weft::remote::nats
