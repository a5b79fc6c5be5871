#include "io/http_client/transfer.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "io/http_client/http_client.h"
#include "io/loop.h"

namespace weft {
namespace {

// What curl hands to us at a time, at most.
constexpr long kReceiveSize = 64 * 1024;
// What curl takes from us at a time: of a large body more, for fewer system calls.
constexpr long kUploadSize = 64 * 1024;
constexpr long kLargeUploadSize = 256 * 1024;
constexpr std::int64_t kLargeBody = 1024 * 1024;
constexpr unsigned kInformational = 200;
constexpr unsigned kSwitching = 101;

bool same_header(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

// What concerns the connection and not the message.
bool of_the_connection(std::string_view name) {
  for (std::string_view each : {"connection", "keep-alive", "proxy-connection", "transfer-encoding",
                                "upgrade", "proxy-authenticate", "http2-settings"}) {
    if (same_header(name, each)) return true;
  }
  return false;
}

std::string_view trimmed(std::string_view text) {
  std::size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

// Trusts the certificates of one more file. curl has loaded the system's.
CURLcode trust_file(CURL*, void* context, void* path) {
  auto* ssl = static_cast<SSL_CTX*>(context);
  const char* file = static_cast<const std::string*>(path)->c_str();
  return SSL_CTX_load_verify_locations(ssl, file, nullptr) == 1 ? CURLE_OK
                                                                : CURLE_SSL_CACERT_BADFILE;
}

}  // namespace

std::string_view to_string(HttpProblem problem) {
  switch (problem) {
    case HttpProblem::kDenied: return "denied";
    case HttpProblem::kUrl: return "not a URL to send to";
    case HttpProblem::kDnsTimeout: return "the name was not looked up in time";
    case HttpProblem::kDnsError: return "the name does not resolve";
    case HttpProblem::kConnectionRefused: return "connection refused";
    case HttpProblem::kConnectionTimeout: return "not connected in time";
    case HttpProblem::kUnroutable: return "no route";
    case HttpProblem::kUnavailable: return "not reachable";
    case HttpProblem::kConnectionLimit: return "too many connections";
    case HttpProblem::kTlsCertificate: return "the certificate is not trusted";
    case HttpProblem::kTlsProtocol: return "TLS failed";
    case HttpProblem::kTerminated: return "the connection ended before a response";
    case HttpProblem::kReadTimeout: return "nothing came in time";
    case HttpProblem::kHeaderSize: return "the response's head is too long";
    case HttpProblem::kIncomplete: return "the response is not whole";
    case HttpProblem::kProtocol: return "not HTTP";
    case HttpProblem::kBodyBroken: return "the request's body is not whole";
    case HttpProblem::kInternal: return "internal error";
  }
  return "unknown";
}

HttpTransfer::HttpTransfer(HttpClient& client, HttpTransferListener& listener, CURL* easy)
    : client_(client),
      listener_(listener),
      easy_(easy),
      timer_(client.loop(), [this] { on_timeout(); }) {
  ++client_.transfers_;
}

HttpTransfer::~HttpTransfer() {
  if (easy_ != nullptr) {
    // Nobody is left behind the callbacks.
    if (resolving_) client_.left_resolving();
    set_resolving(false);
    client_.drop(easy_);
  }
  curl_slist_free_all(headers_);
}

Result<void> HttpTransfer::prepare(const HttpClientRequest& request) {
  auto set = [this](CURLoption option, auto value) {
    return curl_easy_setopt(easy_, option, value) == CURLE_OK;
  };
  const HttpClientOptions& options = client_.options_;
  auto within = [&](std::chrono::milliseconds asked, std::chrono::milliseconds usual) {
    return std::min(asked.count() == 0 ? usual : asked, options.timeout_max);
  };
  connect_ = within(request.connect_timeout, options.connect_timeout);
  first_byte_ = within(request.first_byte_timeout, options.first_byte_timeout);
  between_bytes_ = within(request.between_bytes_timeout, options.between_bytes_timeout);
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // A dropped look-up is not waited for.
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_PROXY, "");
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_BUFFERSIZE, kReceiveSize);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_.count()));
  set(CURLOPT_OPENSOCKETFUNCTION, &HttpTransfer::open_socket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_CLOSESOCKETFUNCTION, &HttpClient::close_socket);
  set(CURLOPT_CLOSESOCKETDATA, &client_);
  set(CURLOPT_PREREQFUNCTION, &HttpTransfer::before_request);
  set(CURLOPT_PREREQDATA, this);
  set(CURLOPT_RESOLVER_START_FUNCTION, &HttpTransfer::before_resolve);
  set(CURLOPT_RESOLVER_START_DATA, this);
  set(
      CURLOPT_HEADERFUNCTION, +[](char* data, std::size_t size, std::size_t count, void* self) {
        return static_cast<HttpTransfer*>(self)->on_header({data, size * count});
      });
  set(CURLOPT_HEADERDATA, this);
  set(
      CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t size, std::size_t count, void* self) {
        return static_cast<HttpTransfer*>(self)->on_body(as_bytes({data, size * count}));
      });
  set(CURLOPT_WRITEDATA, this);
  if (request.url.starts_with("https:")) {
    set(CURLOPT_PIPEWAIT, 1L);  // Rather one connection of HTTP/2 than many.
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // The bundle alone is kept parsed.
    if (!options.pinned_key.empty()) {
      set(CURLOPT_SSL_VERIFYPEER, 0L);
      set(CURLOPT_SSL_VERIFYHOST, 0L);
      if (!set(CURLOPT_PINNEDPUBLICKEY, options.pinned_key.c_str())) {
        return failure(Errc::kInternal, "curl cannot pin a key");
      }
    } else if (!options.ca_file.empty()) {
      set(CURLOPT_SSL_CTX_FUNCTION, &trust_file);
      set(CURLOPT_SSL_CTX_DATA, &options.ca_file);
    }
  }
  if (request.body_length != 0) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_UPLOAD_BUFFERSIZE,
        request.body_length >= kLargeBody ? kLargeUploadSize : kUploadSize);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body_length));
    set(
        CURLOPT_READFUNCTION, +[](char* room, std::size_t size, std::size_t count, void* self) {
          return static_cast<HttpTransfer*>(self)->on_read(
              {reinterpret_cast<std::uint8_t*>(room), size * count});
        });
    set(CURLOPT_READDATA, this);
  } else if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  }
  changes_nothing_ = request.method == "GET" || request.method == "HEAD";
  bool sendable =
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str()) && set(CURLOPT_URL, request.url.c_str());
  // What curl would add by itself.
  std::vector<std::string> lines = {"Expect:", "Accept:"};
  bool wants_length = request.method == "POST" || request.method == "PUT";
  if (request.body_length == 0 && wants_length) lines.emplace_back("Content-Length: 0");
  for (const auto& [name, value] : request.headers) {
    // An empty value is written with a semicolon: after a colon it would mean "not this header".
    lines.push_back(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    if (same_header(name, "accept") || same_header(name, "expect")) {
      std::erase_if(lines, [&](const std::string& line) { return same_header(line, name + ":"); });
    }
  }
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(headers_, line.c_str());
    if (longer == nullptr) return failure(Errc::kInternal, "no memory for headers");
    headers_ = longer;
  }
  set(CURLOPT_HTTPHEADER, headers_);
  if (!sendable) return failure(Errc::kInvalid, "curl does not take the method or the URL");
  return {};
}

void HttpTransfer::wait(std::chrono::milliseconds timeout) {
  timer_.arm(Deadline::at(client_.loop().now() + timeout));
}

void HttpTransfer::on_timeout() {
  Loop::Turn turn(client_.loop());
  HttpProblem problem = HttpProblem::kReadTimeout;
  if (phase_ == Phase::kConnecting) {
    problem = resolving_ ? HttpProblem::kDnsTimeout : HttpProblem::kConnectionTimeout;
  }
  if (resolving_) client_.left_resolving();
  set_resolving(false);
  client_.drop(std::exchange(easy_, nullptr));
  std::string detail(to_string(problem));
  listener_.failed(problem, detail);
}

void HttpTransfer::set_resolving(bool resolving) {
  if (resolving == resolving_) return;
  resolving_ = resolving;
  client_.resolving_ += resolving ? 1 : static_cast<std::size_t>(-1);
}

bool HttpTransfer::refuse(HttpProblem problem, std::string detail) {
  refused_ = true;
  problem_ = problem;
  detail_ = std::move(detail);
  return false;
}

int HttpTransfer::before_resolve(void*, void*, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  if (!transfer.client_.resolve_allowed()) {
    transfer.refuse(HttpProblem::kConnectionLimit, "too many names are being looked up");
    return 1;
  }
  transfer.set_resolving(true);
  return 0;
}

bool HttpTransfer::may_connect(const IpAddress* address) {
  set_resolving(false);
  if (address != nullptr && listener_.may_connect(*address)) return true;
  return refuse(HttpProblem::kDenied, address == nullptr
                                          ? "it leads to no address"
                                          : fmt::format("it leads to {}", address->text()));
}

curl_socket_t HttpTransfer::open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  auto ip = IpAddress::of(address->addr);
  if (!transfer.may_connect(ip ? &*ip : nullptr)) return CURL_SOCKET_BAD;
  curl_socket_t fd = transfer.client_.opened(*address);
  if (fd != CURL_SOCKET_BAD) transfer.opened_.push_back(fd);
  return fd;
}

// On a connection that was open already, this is where its address is asked about.
int HttpTransfer::before_request(void* self, char* remote, char*, int, int) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  auto ip = IpAddress::parse(remote == nullptr ? "" : remote);
  if (!transfer.may_connect(ip ? &*ip : nullptr)) return CURL_PREREQFUNC_ABORT;
  // Curl sends a request without a body again where a connection that was open already ends before
  // an answer: who asked says whether it may be done twice.
  if (transfer.phase_ != Phase::kConnecting && !transfer.changes_nothing_) {
    transfer.refuse(HttpProblem::kTerminated, "the connection ended before an answer");
    return CURL_PREREQFUNC_ABORT;
  }
  // An address that was refused before this one does not matter any more.
  transfer.refused_ = false;
  transfer.client_.established(std::exchange(transfer.opened_, {}));
  transfer.phase_ = Phase::kSent;
  transfer.wait(transfer.first_byte_);
  return CURL_PREREQFUNC_OK;
}

std::size_t HttpTransfer::on_header(std::string_view line) {
  std::size_t size = line.size();
  head_bytes_ += size;
  if (head_bytes_ > client_.options_.head_bytes_max) {
    refuse(HttpProblem::kHeaderSize,
           fmt::format("its head has more than {} bytes", client_.options_.head_bytes_max));
    return 0;
  }
  if (status_ == 0 && line.starts_with("HTTP/")) {
    fields_.clear();
    return size;
  }
  std::string_view text = trimmed(line);
  if (!text.empty()) {
    std::size_t colon = text.find(':');
    if (colon == 0 || colon == std::string_view::npos) return size;
    std::string_view name = text.substr(0, colon);
    if (!of_the_connection(name)) fields_.emplace_back(name, trimmed(text.substr(colon + 1)));
    return size;
  }
  if (status_ != 0) return size;
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  auto number = static_cast<unsigned>(status);
  if (number < kInformational && number != kSwitching) return size;
  status_ = number;
  phase_ = Phase::kStreaming;
  wait(between_bytes_);
  listener_.head(status_, std::exchange(fields_, {}));
  return size;
}

std::size_t HttpTransfer::on_body(BytesView bytes) {
  if (!listener_.has_room()) {
    response_paused_ = true;
    timer_.disarm();
    return CURL_WRITEFUNC_PAUSE;
  }
  wait(between_bytes_);
  listener_.data(bytes);
  return bytes.size();
}

std::size_t HttpTransfer::on_read(std::span<std::uint8_t> room) {
  std::int64_t count = listener_.read(room);
  if (count == HttpTransferListener::kNothingYet) {
    // The guest takes its time: the peer is not to blame.
    body_paused_ = true;
    if (phase_ == Phase::kSent) timer_.disarm();
    return CURL_READFUNC_PAUSE;
  }
  if (count == HttpTransferListener::kBroken) {
    refuse(HttpProblem::kBodyBroken, "the request's body ended before its end");
    return CURL_READFUNC_ABORT;
  }
  if (phase_ == Phase::kSent) wait(first_byte_);
  return static_cast<std::size_t>(count);
}

void HttpTransfer::resume_body() {
  if (easy_ == nullptr || !body_paused_) return;
  body_paused_ = false;
  if (phase_ == Phase::kSent) wait(first_byte_);
  set_pauses();
}

void HttpTransfer::resume_response() {
  if (easy_ == nullptr || !response_paused_) return;
  response_paused_ = false;
  wait(between_bytes_);
  set_pauses();
}

void HttpTransfer::set_pauses() {
  CHECK(!client_.running_ && client_.loop().on_this_loop());
  int paused = (response_paused_ ? CURLPAUSE_RECV : 0) | (body_paused_ ? CURLPAUSE_SEND : 0);
  client_.running_ = true;
  CURLcode code = curl_easy_pause(easy_, paused);
  client_.running_ = false;
  // What fails here ends the transfer when curl runs next.
  if (code != CURLE_OK) client_.on_timer(nullptr, 0, &client_);
}

void HttpTransfer::ended(CURLcode code) {
  timer_.disarm();
  set_resolving(false);
  HttpProblem problem = code == CURLE_OK ? HttpProblem::kInternal : problem_of(code);
  std::string detail = refused_ ? detail_ : std::string(curl_easy_strerror(code));
  client_.drop(std::exchange(easy_, nullptr));
  if (code == CURLE_OK && status_ != 0) {
    listener_.finished(fields_);
  } else {
    listener_.failed(problem, detail);
  }
}

HttpProblem HttpTransfer::problem_of(CURLcode code) const {
  if (refused_) return problem_;
  long number = 0;
  switch (code) {
    case CURLE_URL_MALFORMAT: return HttpProblem::kUrl;
    case CURLE_UNSUPPORTED_PROTOCOL:
      // Also what curl calls an answer that is no HTTP.
      return phase_ == Phase::kConnecting ? HttpProblem::kUrl : HttpProblem::kProtocol;
    case CURLE_COULDNT_RESOLVE_HOST: return HttpProblem::kDnsError;
    case CURLE_COULDNT_CONNECT:
      curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &number);
      if (number == ECONNREFUSED) return HttpProblem::kConnectionRefused;
      if (number == ETIMEDOUT) return HttpProblem::kConnectionTimeout;
      if (number == EHOSTUNREACH || number == ENETUNREACH) return HttpProblem::kUnroutable;
      return HttpProblem::kUnavailable;
    case CURLE_OPERATION_TIMEDOUT:
      return phase_ == Phase::kConnecting ? HttpProblem::kConnectionTimeout
                                          : HttpProblem::kReadTimeout;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH: return HttpProblem::kTlsCertificate;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM: return HttpProblem::kTlsProtocol;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
      return status_ == 0 ? HttpProblem::kTerminated : HttpProblem::kIncomplete;
    case CURLE_PARTIAL_FILE: return HttpProblem::kIncomplete;
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING: return HttpProblem::kProtocol;
    default: return HttpProblem::kInternal;
  }
}

}  // namespace weft
