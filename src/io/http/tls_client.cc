#include "io/http/tls_client.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/net_address.h"

namespace weft {

Result<std::shared_ptr<const TlsClient>> TlsClient::make(const std::string& ca_file) {
  std::shared_ptr<TlsClient> client(new TlsClient(SSL_CTX_new(TLS_client_method())));
  SSL_CTX* context = client->context_;
  CHECK(context != nullptr);
  CHECK(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (ca_file.empty()) {
    CHECK(SSL_CTX_set_default_verify_paths(context) == 1);
    return client;
  }
  if (access(ca_file.c_str(), R_OK) != 0) {
    int problem = errno;
    return failure(problem == ENOENT ? Errc::kNotFound : Errc::kDenied,
                   fmt::format("ca-file {}: {}", ca_file, std::strerror(problem)));
  }
  if (SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
    ERR_clear_error();
    return failure(Errc::kInvalid,
                   fmt::format("ca-file {}: it has no certificate in PEM form: begin it with "
                               "-----BEGIN CERTIFICATE-----",
                               ca_file));
  }
  return client;
}

TlsClient::~TlsClient() {
  SSL_CTX_free(context_);
}

std::unique_ptr<TlsSession> TlsClient::connect(int socket, const std::string& host) const {
  SSL* ssl = SSL_new(context_);
  if (ssl == nullptr) throw std::bad_alloc();
  auto session = std::make_unique<TlsSession>(ssl);
  TlsSession::use_socket(ssl, socket);
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* checks = SSL_get0_param(ssl);
  if (IpAddress::parse(host)) {
    CHECK(X509_VERIFY_PARAM_set1_ip_asc(checks, host.c_str()) == 1);
  } else {
    CHECK(X509_VERIFY_PARAM_set1_host(checks, host.data(), host.size()) == 1);
    SSL_set_tlsext_host_name(ssl, host.c_str());
  }
  return session;
}

}  // namespace weft
