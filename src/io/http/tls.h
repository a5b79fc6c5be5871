#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "base/error.h"
#include "base/secret.h"

struct ssl_ctx_st;
struct ssl_st;

namespace weft {

// Where a listener's certificate comes from: PEM files.
struct TlsFiles {
  std::string certificate;  // The server's first, then those that lead to the root.
  std::string key;          // Not encrypted.
};

// One TLS connection, over a socket that does not block and that somebody else
// owns and closes. On its connection's loop only.
class TlsSession {
 public:
  enum class Step : std::uint8_t { kDone, kWantRead, kWantWrite, kFailed };

  explicit TlsSession(ssl_st* ssl);
  // Has it read and write that socket, without SIGPIPE.
  static void use_socket(ssl_st* ssl, int socket);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;

  // Goes on with the handshake. After kFailed nothing more may be called; `problem` says why.
  Step handshake();
  std::string_view problem() const { return problem_; }
  // "h2", "http/1.1" or "".
  std::string_view protocol() const;

  // Like recv: 0 at the end, -1 with errno, of which EAGAIN means that the socket has to be waited
  // for.
  ssize_t read(void* into, std::size_t room);
  // Bytes that read gives without the socket.
  bool has_pending() const;
  // Like sendmsg: takes up to one record's worth of the pieces. After EAGAIN the next call begins
  // with the same bytes.
  ssize_t send(std::span<const iovec> pieces);
  // Tells the peer, once and if the socket takes it, that nothing more comes.
  void close_notify();

 private:
  ssize_t failed(int result);

  ssl_st* ssl_;
  std::string problem_;
  bool broken_ = false;
};

// A certificate, its key, and how TLS is spoken: 1.2 and 1.3, h2 and http/1.1 by ALPN.
//
// Shared by the loops' listeners and whoever reloads it; from any thread.
class TlsContext {
 public:
  // kInvalid, kNotFound or kDenied, naming the file and what to do, when they cannot be served
  // with.
  static Result<std::shared_ptr<TlsContext>> load(TlsFiles files);
  // Of a key that is in memory, with a certificate that it signs itself, as `name`: for clients who
  // know the key. TLS 1.3 only. `seed`: the 32 bytes of an Ed25519 key.
  static std::shared_ptr<TlsContext> of_key(const Secret& seed, const std::string& name);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;

  // Reads the files again. Handshakes that begin after it take the new certificate; connections
  // that are open stay. When it fails, the old one stays in use. Nothing for one that was made of a
  // key.
  Result<void> reload();
  // The same with what another context has read, which may be of other files.
  void take_over(TlsContext& fresh);

  // A session for a socket that was accepted.
  std::unique_ptr<TlsSession> accept(int socket);

 private:
  explicit TlsContext(TlsFiles files) : files_(std::move(files)) {}

  const TlsFiles files_;
  std::mutex mutex_;
  ssl_ctx_st* context_ = nullptr;
};

}  // namespace weft
