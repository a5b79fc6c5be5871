#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "io/http/tls.h"

namespace weft {

// Whom a client of TLS trusts: the system's authorities, or those in a file instead. The server's
// certificate has to be for the name, or the address, that was asked for.
//
// Constant once made; from any thread. Outlived by no session, which keeps what it needs.
class TlsClient {
 public:
  // `ca_file` in PEM form; empty: the system's. kNotFound, kDenied or kInvalid, naming it.
  static Result<std::shared_ptr<const TlsClient>> make(const std::string& ca_file);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;

  // A session on a connected socket that does not block, and that the caller owns.
  std::unique_ptr<TlsSession> connect(int socket, const std::string& host) const;

 private:
  explicit TlsClient(ssl_ctx_st* context) : context_(context) {}

  ssl_ctx_st* context_;
};

}  // namespace weft
