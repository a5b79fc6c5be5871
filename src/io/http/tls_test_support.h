#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "io/http/test_support.h"

namespace weft::http_test {

// A key and the certificate for it, made for a test: the name tells one from another.
struct MadeCertificate {
  explicit MadeCertificate(const char* name) {
    EVP_PKEY* pair = EVP_EC_gen("P-256");
    X509* x509 = X509_new();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, pair);
    X509_NAME* subject = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(x509, subject);
    X509_sign(x509, pair, EVP_sha256());
    certificate = text([&](BIO* bio) { PEM_write_bio_X509(bio, x509); });
    key = text([&](BIO* bio) {
      PEM_write_bio_PrivateKey(bio, pair, nullptr, nullptr, 0, nullptr, nullptr);
    });
    locked_key = text([&](BIO* bio) {
      PEM_write_bio_PrivateKey(bio, pair, EVP_aes_128_cbc(),
                               reinterpret_cast<const unsigned char*>("secret"), 6, nullptr,
                               nullptr);
    });
    X509_free(x509);
    EVP_PKEY_free(pair);
  }

  std::string certificate;
  std::string key;
  std::string locked_key;

 private:
  static std::string text(const std::function<void(BIO*)>& write) {
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* data = nullptr;
    long size = BIO_get_mem_data(bio, &data);
    std::string out(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
  }
};

// Files in a folder that goes with it.
class TlsFolder {
 public:
  TlsFolder() {
    std::string path = ::testing::TempDir() + "weft-tls-XXXXXX";
    folder_ = ::mkdtemp(path.data());
  }
  ~TlsFolder() { std::filesystem::remove_all(folder_); }

  std::string put(const std::string& name, std::string_view text) {
    std::string path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }
  TlsFiles put(const MadeCertificate& made) {
    return {put("certificate.pem", made.certificate), put("key.pem", made.key)};
  }

 private:
  std::filesystem::path folder_;
};

// A TLS client over a socket that waits with a limit.
class TlsClient {
 public:
  struct Options {
    std::string protocols = {};  // ALPN, each with its length before it.
    int version_max = 0;
  };
  explicit TlsClient(std::uint16_t port) : TlsClient(port, Options()) {}
  TlsClient(std::uint16_t port, const Options& options) : socket(port) {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context_, 0);
    if (options.version_max != 0) {
      SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
      SSL_CTX_set_max_proto_version(context_, options.version_max);
    }
    ssl_ = SSL_new(context_);
    if (!options.protocols.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(options.protocols.data()),
                          static_cast<unsigned>(options.protocols.size()));
    }
    SSL_set_fd(ssl_, socket.fd());
    connected = SSL_connect(ssl_) == 1;
  }
  TlsClient(const TlsClient&) = delete;
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }

  std::string name() const {
    X509* x509 = SSL_get0_peer_certificate(ssl_);
    if (x509 == nullptr) return "(none)";
    char room[64] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, room, sizeof room);
    return room;
  }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string version() const { return SSL_get_version(ssl_); }

  bool send(std::string_view bytes) {
    return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) ==
           static_cast<int>(bytes.size());
  }
  // "" at the end.
  std::string receive() {
    char room[16384];
    int count = SSL_read(ssl_, room, sizeof room);
    clean_end = count <= 0 && SSL_get_error(ssl_, count) == SSL_ERROR_ZERO_RETURN;
    return {room, count > 0 ? static_cast<std::size_t>(count) : 0};
  }
  std::string receive_until(std::string_view text) {
    std::string all;
    while (all.find(text) == std::string::npos) {
      std::string more = receive();
      if (more.empty()) break;
      all += more;
    }
    return all;
  }

  Client socket;
  bool connected = false;
  bool clean_end = false;  // The server said that it was the end.

 private:
  SSL_CTX* context_;
  SSL* ssl_;
};

}  // namespace weft::http_test
