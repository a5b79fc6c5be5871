#include "io/http/tls.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace weft {
namespace {

// Forward secret and authenticated; TLS 1.3 brings its own. HTTP/2 forbids the others.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::size_t kRecord = 16 * 1024;  // What one TLS record holds at most.
constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";

// What OpenSSL says about what just failed.
std::string ssl_reason() {
  unsigned long code = ERR_peek_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

// A socket BIO that never raises SIGPIPE.
int bio_write(BIO* bio, const char* data, int size) {
  auto socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  BIO_clear_retry_flags(bio);
  ssize_t sent = ::send(socket, data, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    BIO_set_retry_write(bio);
  }
  return static_cast<int>(sent);
}
int bio_read(BIO* bio, char* into, int size) {
  auto socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  BIO_clear_retry_flags(bio);
  ssize_t count = ::recv(socket, into, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    BIO_set_retry_read(bio);
  }
  return static_cast<int>(count);
}
long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}
int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}
BIO_METHOD* bio_method() {
  static BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOCKET, "weft socket");
    CHECK(made != nullptr);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    BIO_meth_set_create(made, bio_create);
    return made;
  }();
  return method;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                    unsigned int in_size, void*) {
  unsigned char* chosen = nullptr;
  int found = SSL_select_next_proto(&chosen, size, kProtocols, sizeof kProtocols - 1, in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int no_password(char*, int, int, void*) {
  return -1;
}

Result<void> check_readable(std::string_view what, const std::string& path) {
  if (path.empty()) return failure(Errc::kInvalid, fmt::format("no {} is named", what));
  if (::access(path.c_str(), R_OK) == 0) return {};
  int problem = errno;
  Errc code = problem == ENOENT ? Errc::kNotFound : problem == EACCES ? Errc::kDenied : Errc::kIo;
  return failure(code, fmt::format("{} {}: {}", what, path, std::strerror(problem)));
}

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, FreeContext>;

// One that has no certificate yet.
ContextPtr server_context() {
  ERR_clear_error();
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  CHECK(context != nullptr);
  SSL_CTX* raw = context.get();
  CHECK(SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1);
  CHECK(SSL_CTX_set_cipher_list(raw, kCiphers) == 1);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  // Tickets resume sessions; the server remembers none.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(raw, no_password);
  return context;
}

// For ever, as the key is what is looked at: the dates of RFC 5280 for "no such date".
constexpr const char* kAlways = "19700101000000Z";
constexpr const char* kForever = "99991231235959Z";

ContextPtr key_context(const Secret& seed, const std::string& name) {
  ContextPtr context = server_context();
  CHECK(SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1);
  auto text = seed.reveal();
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   text.size()),
      EVP_PKEY_free);
  CHECK(key != nullptr);
  std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  CHECK(certificate != nullptr);
  X509* raw = certificate.get();
  CHECK(X509_set_version(raw, X509_VERSION_3) == 1);
  CHECK(ASN1_INTEGER_set(X509_get_serialNumber(raw), 1) == 1);
  CHECK(ASN1_TIME_set_string(X509_getm_notBefore(raw), kAlways) == 1);
  CHECK(ASN1_TIME_set_string(X509_getm_notAfter(raw), kForever) == 1);
  X509_NAME* subject = X509_get_subject_name(raw);
  CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(name.data()),
                                   static_cast<int>(name.size()), -1, 0) == 1);
  CHECK(X509_set_issuer_name(raw, subject) == 1);
  CHECK(X509_set_pubkey(raw, key.get()) == 1);
  // Ed25519 hashes by itself.
  CHECK(X509_sign(raw, key.get(), nullptr) > 0);
  CHECK(SSL_CTX_use_certificate(context.get(), raw) == 1);
  CHECK(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  return context;
}

Result<ContextPtr> make_context(const TlsFiles& files) {
  TRY_VOID(check_readable("certificate", files.certificate));
  TRY_VOID(check_readable("key", files.key));
  ContextPtr context = server_context();
  SSL_CTX* raw = context.get();
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1) {
    return failure(Errc::kInvalid,
                   fmt::format("certificate {}: it has no certificate in PEM form that can be used "
                               "({}): begin it with -----BEGIN CERTIFICATE-----",
                               files.certificate, ssl_reason()));
  }
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    unsigned long code = ERR_peek_last_error();
    std::string reason = ssl_reason();
    if (ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH) {
      return failure(Errc::kInvalid,
                     fmt::format("key {}: it is not the key of certificate {}: name the two that "
                                 "were made together",
                                 files.key, files.certificate));
    }
    return failure(Errc::kInvalid,
                   fmt::format("key {}: it has no private key in PEM form that can be used ({}): "
                               "it may be encrypted, or not begin with -----BEGIN PRIVATE KEY-----",
                               files.key, reason));
  }
  if (SSL_CTX_check_private_key(raw) != 1) {
    ERR_clear_error();
    return failure(Errc::kInvalid, fmt::format("key {}: it is not the key of certificate {}",
                                               files.key, files.certificate));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(SSL_CTX_get0_certificate(raw))) < 0) {
    log::warn("tls", "the certificate has expired: clients will refuse it",
              {{"certificate", files.certificate}});
  }
  return context;
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::load(TlsFiles files) {
  std::shared_ptr<TlsContext> made(new TlsContext(std::move(files)));
  TRY_VOID(made->reload());
  return made;
}

std::shared_ptr<TlsContext> TlsContext::of_key(const Secret& seed, const std::string& name) {
  std::shared_ptr<TlsContext> made(new TlsContext({}));
  made->context_ = key_context(seed, name).release();
  return made;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

Result<void> TlsContext::reload() {
  if (files_.certificate.empty() && context_ != nullptr) return {};
  TRY(ContextPtr fresh, make_context(files_));
  std::lock_guard lock(mutex_);
  // Sessions keep the context that they began with.
  SSL_CTX_free(std::exchange(context_, fresh.release()));
  return {};
}

void TlsContext::take_over(TlsContext& fresh) {
  std::scoped_lock lock(mutex_, fresh.mutex_);
  std::swap(context_, fresh.context_);
}

std::unique_ptr<TlsSession> TlsContext::accept(int socket) {
  SSL* ssl = nullptr;
  {
    std::lock_guard lock(mutex_);
    ssl = SSL_new(context_);
  }
  if (ssl == nullptr) throw std::bad_alloc();
  auto session = std::make_unique<TlsSession>(ssl);
  TlsSession::use_socket(ssl, socket);
  SSL_set_accept_state(ssl);
  return session;
}

TlsSession::TlsSession(ssl_st* ssl) : ssl_(ssl) {}

void TlsSession::use_socket(ssl_st* ssl, int socket) {
  BIO* bio = BIO_new(bio_method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  SSL_set_bio(ssl, bio, bio);
}

TlsSession::~TlsSession() {
  SSL_free(ssl_);
}

TlsSession::Step TlsSession::handshake() {
  ERR_clear_error();
  int result = SSL_do_handshake(ssl_);
  if (result == 1) return Step::kDone;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return Step::kWantRead;
    case SSL_ERROR_WANT_WRITE: return Step::kWantWrite;
    default: break;
  }
  broken_ = true;
  problem_ = ssl_reason();
  long verdict = SSL_get_verify_result(ssl_);
  if (SSL_is_server(ssl_) == 0 && verdict != X509_V_OK) {
    problem_ = fmt::format("the server's certificate: {}", X509_verify_cert_error_string(verdict));
  }
  return Step::kFailed;
}

std::string_view TlsSession::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

// What a call that gave `result` means as a socket's call.
ssize_t TlsSession::failed(int result) {
  int problem = errno;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: errno = problem == 0 ? ECONNRESET : problem; break;
    default: errno = EPROTO; break;
  }
  ERR_clear_error();
  broken_ = true;
  return -1;
}

ssize_t TlsSession::read(void* into, std::size_t room) {
  if (broken_) {
    errno = EPROTO;
    return -1;
  }
  ERR_clear_error();
  errno = 0;
  int count = SSL_read(ssl_, into, static_cast<int>(std::min<std::size_t>(room, 1 << 20)));
  return count > 0 ? count : failed(count);
}

bool TlsSession::has_pending() const {
  return !broken_ && SSL_pending(ssl_) > 0;
}

ssize_t TlsSession::send(std::span<const iovec> pieces) {
  if (broken_) {
    errno = EPIPE;
    return -1;
  }
  // Several pieces go into one record.
  std::array<char, kRecord> room;
  const char* data = room.data();
  std::size_t size = 0;
  if (pieces.size() == 1) {
    data = static_cast<const char*>(pieces[0].iov_base);
    size = std::min(pieces[0].iov_len, kRecord);
  } else {
    for (const iovec& piece : pieces) {
      std::size_t count = std::min(piece.iov_len, room.size() - size);
      std::memcpy(room.data() + size, piece.iov_base, count);
      size += count;
    }
  }
  ERR_clear_error();
  errno = 0;
  int sent = SSL_write(ssl_, data, static_cast<int>(size));
  if (sent > 0) return sent;
  // A write that waits for the peer's bytes would be tried again in circles: there is no
  // renegotiation, so nothing honest asks for it.
  if (SSL_get_error(ssl_, sent) == SSL_ERROR_WANT_READ) {
    broken_ = true;
    errno = EPROTO;
    return -1;
  }
  ssize_t result = failed(sent);
  if (result == 0) errno = EPIPE;
  return -1;
}

void TlsSession::close_notify() {
  if (broken_ || SSL_in_init(ssl_) != 0 || (SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) != 0) {
    return;
  }
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

}  // namespace weft
