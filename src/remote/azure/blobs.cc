#include "remote/azure/blobs.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "io/loop.h"
#include "remote/aws/sigv4.h"
#include "remote/http/signal.h"
#include "remote/http/xml.h"
#include "remote/said.h"

namespace weft::remote::azure {
namespace {

constexpr unsigned kOk = 200;
constexpr unsigned kCreated = 201;
constexpr unsigned kAccepted = 202;
constexpr unsigned kPartial = 206;
constexpr unsigned kBadRequest = 400;
constexpr unsigned kUnauthorized = 401;
constexpr unsigned kForbidden = 403;
constexpr unsigned kNotFound = 404;
constexpr unsigned kConflictStatus = 409;
constexpr unsigned kPreconditionFailed = 412;
constexpr unsigned kTooMany = 429;
constexpr unsigned kServerError = 500;

constexpr std::string_view kErrorHeader = "x-ms-error-code";
constexpr std::string_view kNoted = "weft_name";
constexpr std::string_view kNotedHeader = "x-ms-meta-weft_name";
// How far two clocks may be apart before that is the likely reason of a refusal.
constexpr std::uint64_t kSkewSeconds = 600;
// Between two looks at a copy that takes longer.
constexpr std::chrono::milliseconds kCopyLook{100};

std::uint64_t read_time(std::string_view text) {
  tm parts{};
  std::string copy(text);
  if (strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S", &parts) == nullptr) return 0;
  time_t seconds = timegm(&parts);
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds);
}

std::uint64_t seconds_now() {
  return static_cast<std::uint64_t>(
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
}

std::uint64_t read_number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Any bytes as metadata can hold them.
std::string as_digits(std::string_view bytes) {
  std::string out;
  for (unsigned char c : bytes) out += fmt::format("{:02x}", c);
  return out;
}

std::string from_digits(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    out += static_cast<char>(byte);
  }
  return out;
}

void add_noted(Fields& headers, std::string_view noted) {
  if (!noted.empty()) headers.emplace_back(kNotedHeader, as_digits(noted));
}

Errc code_for(unsigned status) {
  if (status == kForbidden || status == kUnauthorized) return Errc::kDenied;
  if (status == kNotFound) return Errc::kNotFound;
  if (status == kPreconditionFailed || status == kConflictStatus) return Errc::kConflict;
  if (status >= kServerError || status == kTooMany) return Errc::kUnavailable;
  return Errc::kInvalid;
}

// Nothing but the blob is missing.
bool no_blob(const HttpResponse& response) {
  return response.status() == kNotFound && response.header(kErrorHeader) != "ContainerNotFound";
}

}  // namespace

Blobs::Blobs(Loop& loop, std::shared_ptr<const Settings> settings)
    : settings_(std::move(settings)),
      service_(std::make_shared<HttpService>(
          loop, HttpServiceOptions{.name = fmt::format("Azure Blob at {}://{}{}", settings_->scheme,
                                                       settings_->host, settings_->path),
                                   .ca_file = settings_->ca_file,
                                   .timeout = settings_->timeout,
                                   .health = settings_->health})),
      signer_(settings_->account, settings_->key) {}

std::string Blobs::path_of(std::string_view name) const {
  std::string path = fmt::format("{}/{}", settings_->path, settings_->container);
  if (!name.empty()) path += "/" + aws::encoded_path(name);
  return path;
}

Task<Blobs::Response> Blobs::ask(Ask ask, Deadline deadline) {
  std::string path = path_of(ask.name);
  std::string url = fmt::format("{}://{}{}", settings_->scheme, settings_->host, path);
  std::string query = aws::canonical_query(ask.query);
  std::string_view sas = settings_->sas.reveal();
  if (!query.empty()) url += "?" + query;
  if (!sas.empty()) url += fmt::format("{}{}", query.empty() ? '?' : '&', sas);
  ToSign to_sign{ask.method, path, ask.query};
  for (const Bytes& piece : ask.body) to_sign.body_bytes += piece.size();
  // Signed for each attempt. The task that waits keeps what is referred to.
  auto headers = [&] {
    Fields fields = ask.headers;
    auto now = std::chrono::system_clock::now();
    if (settings_->sas.reveal().empty()) {
      signer_.sign(to_sign, fields, now);
    } else {
      add_version(fields, now);
    }
    return fields;
  };
  co_return co_await service_->ask({.method = ask.method,
                                    .url = std::move(url),
                                    .repeat = ask.repeat,
                                    .headers = headers,
                                    .body = ask.body},
                                   deadline);
}

Error Blobs::told(const HttpResponse& response, std::string_view message) const {
  unsigned status = response.status();
  std::string_view code = response.header(kErrorHeader);
  std::string text = fmt::format("{} answers {}", service_->options().name, status);
  if (!code.empty()) text += fmt::format(" {}", said(code));
  // Behind its first line stands what nobody but Microsoft can look up.
  message = message.substr(0, message.find('\n'));
  if (!message.empty()) text += fmt::format(": {}", said(message));
  std::uint64_t theirs = read_time(response.header("date"));
  std::uint64_t ours = seconds_now();
  std::uint64_t skew = theirs > ours ? theirs - ours : ours - theirs;
  bool refused = status == kForbidden || status == kBadRequest || status == kUnauthorized;
  if (refused && theirs != 0 && skew > kSkewSeconds) {
    text +=
        fmt::format("; the server's clock and this host's are {} s apart: set this host's", skew);
  } else if (code == "ContainerNotFound") {
    text +=
        fmt::format("; there is no container {} in the account: make it, or correct `container`",
                    settings_->container);
  } else if (code == "AuthenticationFailed" || code == "AuthorizationFailure" ||
             status == kUnauthorized) {
    text += settings_->sas.reveal().empty()
                ? "; correct `account` and `key`, or let this host in"
                : "; the token `sas` is wrong or has expired, or this host is not let in";
  } else if (status == kForbidden) {
    text += "; who asks may not do that there";
  }
  return {code_for(status), std::move(text)};
}

Task<Error> Blobs::explain(Response response, Deadline deadline) {
  auto text = co_await response->text(deadline);
  if (!text) co_return std::move(text).error();
  auto root = parse_xml(*text);
  co_return told(*response, root ? root->text_of("Message") : std::string_view());
}

// Of what changes something. Reads what is left, so that the connection can be used again.
Task<void> Blobs::settle(Response response, unsigned wanted, Deadline deadline) {
  unsigned status = response->status();
  if (status == wanted) {
    CO_TRY_VOID(co_await response->text(deadline));
    co_return Result<void>();
  }
  CO_TRY(Error error, co_await explain(std::move(response), deadline));
  if (status < kServerError) co_return std::unexpected(std::move(error));
  co_return failure(error.code(),
                    fmt::format("{}{}", error.message(), "; whether it was done is not known"));
}

Task<std::optional<Blob>> Blobs::head(std::string name, Deadline deadline) {
  CO_TRY(Response response, co_await ask({.method = "HEAD", .name = std::move(name)}, deadline));
  if (no_blob(*response)) co_return std::nullopt;
  if (response->status() != kOk) {
    CO_TRY(Error error, co_await explain(std::move(response), deadline));
    co_return std::unexpected(std::move(error));
  }
  co_return Blob{.size = read_number(response->header("content-length")),
                 .modified_at = read_time(response->header("last-modified")),
                 .etag = std::string(response->header("etag")),
                 .noted = from_digits(response->header(kNotedHeader)),
                 .copying = std::string(response->header("x-ms-copy-status"))};
}

Task<Blobs::Response> Blobs::get(std::string name, Range range, std::string etag,
                                 Deadline deadline) {
  Fields headers;
  bool part = range.first != 0 || range.last != UINT64_MAX;
  if (part) {
    std::string last = range.last == UINT64_MAX ? "" : std::to_string(range.last);
    headers.emplace_back("range", fmt::format("bytes={}-{}", range.first, last));
  }
  if (!etag.empty()) headers.emplace_back("if-match", etag);
  CO_TRY(Response response,
         co_await ask({.method = "GET", .name = std::move(name), .headers = std::move(headers)},
                      deadline));
  unsigned status = response->status();
  if (status == (part ? kPartial : kOk) || status == kStatusNoRange) co_return response;
  if (status == kOk) {
    co_return failure(Errc::kUnsupported,
                      fmt::format("{} gives no ranges of blobs", service_->options().name));
  }
  CO_TRY(Error error, co_await explain(std::move(response), deadline));
  co_return std::unexpected(std::move(error));
}

Task<std::optional<std::string>> Blobs::put(std::string name, Pieces body, Put put,
                                            Deadline deadline) {
  Ask ask{.method = "PUT",
          .name = std::move(name),
          .headers = {{"x-ms-blob-type", "BlockBlob"}},
          .body = body,
          .repeat = put.repeat};
  add_noted(ask.headers, put.noted);
  if (put.etag == kAbsent) {
    ask.headers.emplace_back("if-none-match", kAbsent);
  } else if (!put.etag.empty()) {
    ask.headers.emplace_back("if-match", put.etag);
  }
  CO_TRY(Response response, co_await this->ask(std::move(ask), deadline));
  unsigned status = response->status();
  if (!put.etag.empty()) {
    // The status alone may also say that somebody holds a lease on the blob.
    std::string_view code = response->header(kErrorHeader);
    bool other = (status == kPreconditionFailed && (code.empty() || code == "ConditionNotMet")) ||
                 no_blob(*response) || code == "BlobAlreadyExists";
    if (other) {
      CO_TRY_VOID(co_await response->text(deadline));
      co_return std::nullopt;
    }
  }
  std::string etag(response->header("etag"));
  CO_TRY_VOID(co_await settle(std::move(response), kCreated, deadline));
  if (!etag.empty()) co_return std::move(etag);
  // Something else that says yes to everything has kept nothing.
  co_return failure(Errc::kUnavailable,
                    fmt::format("{} took a blob and gave it no ETag, so it is no Azure Blob "
                                "Storage: correct `url`",
                                service_->options().name));
}

Task<void> Blobs::remove(std::string name, Repeat repeat, Deadline deadline) {
  CO_TRY(Response response, co_await ask({.method = "DELETE",
                                          .name = std::move(name),
                                          .headers = {{"x-ms-delete-snapshots", "include"}},
                                          .repeat = repeat},
                                         deadline));
  unsigned wanted = no_blob(*response) ? kNotFound : kAccepted;
  co_return co_await settle(std::move(response), wanted, deadline);
}

// What the tasks that delete together have in common. Shared by them.
struct Blobs::Removal {
  Removal(Loop& loop, std::vector<std::string> all, Deadline until)
      : names(std::move(all)), deadline(until), ended(loop) {}

  std::vector<std::string> names;
  const Deadline deadline;
  Signal ended;
  std::size_t next = 0;
  std::size_t running = 0;
  std::optional<Error> error = {};
};

Task<void> Blobs::remove_some(std::shared_ptr<Blobs> blobs, std::shared_ptr<Removal> removal) {
  while (removal->next < removal->names.size() && !removal->error) {
    std::string name = std::move(removal->names[removal->next++]);
    auto removed = co_await blobs->remove(std::move(name), Repeat::kYes, removal->deadline);
    if (!removed && !removal->error) removal->error = std::move(removed).error();
  }
  --removal->running;
  removal->ended.raise();
  co_return Result<void>();
}

Task<void> Blobs::remove_many(std::vector<std::string> names, Deadline deadline) {
  auto removal = std::make_shared<Removal>(loop(), std::move(names), deadline);
  removal->running = std::min(kDeletesAtOnce, removal->names.size());
  for (std::size_t i = removal->running; i > 0; --i) {
    loop().spawn(remove_some(shared_from_this(), removal));
  }
  // Each of them ends by the deadline.
  while (removal->running > 0) CO_TRY_VOID(co_await removal->ended.wait(Deadline::never()));
  if (removal->error) co_return std::unexpected(*std::move(removal->error));
  co_return Result<void>();
}

Task<bool> Blobs::copy(Copy copy, Deadline deadline) {
  std::string_view sas = settings_->sas.reveal();
  std::string source = fmt::format("{}://{}{}{}{}", settings_->scheme, settings_->host,
                                   path_of(copy.from), sas.empty() ? "" : "?", sas);
  Ask ask{.method = "PUT",
          .name = copy.to,
          .headers = {{"x-ms-copy-source", std::move(source)}},
          .repeat = Repeat::kNo};
  if (copy.renote) add_noted(ask.headers, copy.noted);
  CO_TRY(Response response, co_await this->ask(std::move(ask), deadline));
  if (no_blob(*response)) {
    CO_TRY_VOID(co_await response->text(deadline));
    co_return false;
  }
  bool going_on = response->header("x-ms-copy-status") == "pending";
  CO_TRY_VOID(co_await settle(std::move(response), kAccepted, deadline));
  if (going_on) CO_TRY_VOID(co_await copied(std::move(copy.to), deadline));
  co_return true;
}

Task<void> Blobs::copied(std::string name, Deadline deadline) {
  for (;;) {
    CO_TRY_VOID(co_await pause(loop(), earlier(Deadline::after(kCopyLook), deadline)));
    if (deadline.passed()) {
      co_return failure(Errc::kTimeout,
                        fmt::format("{} copies for longer than there is time; whether it was done "
                                    "is not known",
                                    service_->options().name));
    }
    CO_TRY(std::optional<Blob> blob, co_await head(name, deadline));
    // Replaced or deleted since: the copy was there.
    if (!blob || blob->copying.empty() || blob->copying == "success") co_return Result<void>();
    if (blob->copying == "pending") continue;
    co_return failure(Errc::kUnavailable, fmt::format("{} did not copy a blob: {}",
                                                      service_->options().name, blob->copying));
  }
}

Task<void> Blobs::put_block(std::string name, std::string id, Pieces body, Deadline deadline) {
  CO_TRY(Response response, co_await ask({.method = "PUT",
                                          .name = std::move(name),
                                          .query = {{"blockid", std::move(id)}, {"comp", "block"}},
                                          .body = body},
                                         deadline));
  co_return co_await settle(std::move(response), kCreated, deadline);
}

Task<void> Blobs::put_blocks(std::string name, std::vector<std::string> ids, std::string noted,
                             Deadline deadline) {
  // The latest of each: a request that comes twice finds the blocks in the blob that it made.
  std::string text = "<BlockList>";
  for (const std::string& id : ids) text += fmt::format("<Latest>{}</Latest>", id);
  text += "</BlockList>";
  Bytes body = to_bytes(text);
  Ask ask{.method = "PUT",
          .name = std::move(name),
          .query = {{"comp", "blocklist"}},
          .body = Pieces(&body, 1)};
  add_noted(ask.headers, noted);
  CO_TRY(Response response, co_await this->ask(std::move(ask), deadline));
  if (response->header(kErrorHeader) == "InvalidBlockList") {
    CO_TRY_VOID(co_await response->text(deadline));
    co_return failure(Errc::kConflict,
                      "another has finished the same object meanwhile, and with that the server "
                      "threw away the parts of this one: write it again");
  }
  co_return co_await settle(std::move(response), kCreated, deadline);
}

Task<BlobList> Blobs::list(std::string prefix, std::string after, std::size_t most,
                           Deadline deadline) {
  Fields query{{"comp", "list"},
               {"include", "metadata"},
               {"maxresults", std::to_string(most)},
               {"restype", "container"}};
  if (!prefix.empty()) query.emplace_back("prefix", std::move(prefix));
  if (!after.empty()) query.emplace_back("startFrom", after);
  BlobList list;
  for (std::string marker;;) {
    Fields here = query;
    if (!marker.empty()) here.emplace_back("marker", std::move(marker));
    CO_TRY(Response response, co_await ask({.method = "GET", .query = std::move(here)}, deadline));
    if (response->status() != kOk) {
      CO_TRY(Error error, co_await explain(std::move(response), deadline));
      co_return std::unexpected(std::move(error));
    }
    CO_TRY(std::string answer, co_await response->text(deadline));
    CO_TRY(XmlElement root, parse_xml(answer));
    if (const XmlElement* blobs = root.find("Blobs")) {
      for (const XmlElement& each : blobs->children) {
        // The list begins with the name that it is given.
        if (each.name != "Blob" || each.text_of("Name") == after) continue;
        const XmlElement* metadata = each.find("Metadata");
        list.blobs.push_back({std::string(each.text_of("Name")),
                              metadata == nullptr ? "" : from_digits(metadata->text_of(kNoted))});
      }
    }
    marker = root.text_of("NextMarker");
    list.more = !marker.empty();
    // It may find nothing in a while, and say where to go on.
    if (!list.blobs.empty() || !list.more) co_return list;
  }
}

Task<void> Blobs::reach(Deadline deadline) {
  CO_TRY_VOID(co_await list({}, {}, 1, deadline));
  co_return Result<void>();
}

}  // namespace weft::remote::azure
