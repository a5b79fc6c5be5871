#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace weft {

// What one loop's HttpClient may use, and how long it waits.
struct HttpClientOptions {
  // A file of certificates to trust beside the system's; empty: none.
  std::string ca_file = {};
  // The one public key that a server may have, as curl writes it ("sha256//...", of the key in DER,
  // in base64): then nothing else of its certificate is looked at. Empty: authorities decide.
  std::string pinned_key = {};
  // Connections open at once, and of them to one host; a transfer that finds none waits, within its
  // time to connect.
  std::size_t connections_max = 256;
  std::size_t connections_per_host_max = 128;
  std::size_t transfers_max = 1'024;
  // Names looked up at once, those that nobody waits for any more included.
  std::size_t resolves_max = 64;
  std::size_t head_bytes_max = std::size_t{64} * 1024;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds first_byte_timeout{60'000};
  std::chrono::milliseconds between_bytes_timeout{60'000};
  std::chrono::milliseconds timeout_max{600'000};
};

}  // namespace weft
