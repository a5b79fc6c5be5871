#include "capabilities/blobstore/drivers/s3/client.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/sha256.h"
#include "remote/base64.h"
#include "remote/http/xml.h"
#include "remote/said.h"

namespace weft::blobstore::s3 {
namespace {

using remote::parse_xml;
using remote::XmlElement;
using remote::aws::canonical_query;
using remote::aws::encoded_path;

constexpr unsigned kOk = 200;
constexpr unsigned kNoContent = 204;
constexpr unsigned kPartial = 206;
constexpr unsigned kMovedPermanently = 301;
constexpr unsigned kBadRequest = 400;
constexpr unsigned kForbidden = 403;
constexpr unsigned kConflictStatus = 409;
constexpr unsigned kPreconditionFailed = 412;
constexpr unsigned kServerError = 500;
constexpr unsigned kNotImplemented = 501;
constexpr unsigned kNoRoom = 507;

// How far two clocks may be apart before that is the likely reason of a refusal.
constexpr std::uint64_t kSkewSeconds = 300;
constexpr std::string_view kNameField = "x-amz-meta-weft-name-";
// Of a header with a part of a name in it: some servers take no longer ones.
constexpr std::size_t kNamePieceMax = 240;

std::uint64_t seconds_now() {
  return static_cast<std::uint64_t>(
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
}

std::uint64_t read_time(std::string_view text) {
  tm parts{};
  std::string copy(text);
  if (strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S", &parts) == nullptr) return 0;
  time_t seconds = timegm(&parts);
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds);
}

std::uint64_t read_number(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string md5_base64(std::string_view text) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_md5(), nullptr) == 1);
  return remote::base64(BytesView(digest).first(size));
}

// A name that no key spells, in headers: in hexadecimal digits, in pieces.
void add_name(remote::aws::Fields& headers, std::string_view name) {
  std::string digits;
  for (unsigned char c : name) digits += fmt::format("{:02x}", c);
  for (std::size_t at = 0, number = 0; at < digits.size(); at += kNamePieceMax, ++number) {
    headers.emplace_back(fmt::format("{}{}", kNameField, number), digits.substr(at, kNamePieceMax));
  }
}

std::string read_name(const remote::HttpResponse& response) {
  std::string digits;
  for (int number = 0;; ++number) {
    std::string_view piece = response.header(fmt::format("{}{}", kNameField, number));
    if (piece.empty()) break;
    digits += piece;
  }
  std::string name;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    name += static_cast<char>(byte);
  }
  return name;
}

// As lists spell names that are asked for in the form of URLs.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr ==
            text.data() + i + 3) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

Bytes one_piece(std::string_view text) {
  return to_bytes(text);
}

Errc code_for(unsigned status, std::string_view code) {
  if (code == "QuotaExceeded" || code == "InsufficientStorage" || status == kNoRoom) {
    return Errc::kFull;
  }
  if (status == kForbidden || status == 401) return Errc::kDenied;
  if (status == kStatusNotFound) return Errc::kNotFound;
  if (status == kPreconditionFailed || status == kConflictStatus) return Errc::kConflict;
  if (status == kNotImplemented) return Errc::kUnsupported;
  if (status >= kServerError || status == 429) return Errc::kUnavailable;
  return Errc::kInvalid;
}

}  // namespace

Client::Client(Loop& loop, std::shared_ptr<const Settings> settings)
    : settings_(std::move(settings)),
      service_(std::make_shared<remote::HttpService>(
          loop, remote::HttpServiceOptions{.name = fmt::format("S3 at {}://{}", settings_->scheme,
                                                               settings_->host),
                                           .ca_file = settings_->ca_file,
                                           .timeout = settings_->timeout,
                                           .health = settings_->health})),
      signer_(settings_->credentials, settings_->region, "s3") {}

Task<Client::Response> Client::ask(Request request, Ask ask) {
  std::string path = settings_->path + "/" + encoded_path(ask.key);
  // The bucket itself has no slash behind it.
  if (ask.key.empty() && !settings_->path.empty()) path.pop_back();
  std::string query = canonical_query(ask.query);
  std::string url = fmt::format("{}://{}{}", settings_->scheme, settings_->host, path);
  if (!query.empty()) url += "?" + query;
  std::string payload(remote::aws::kUnsignedPayload);
  if (!ask.payload.empty()) payload = ask.payload;
  if (ask.body.empty()) payload = sha256_hex({});
  // Signed for each attempt. The task that waits keeps what is referred to.
  auto headers = [&] {
    Fields fields = ask.headers;
    signer_.sign({ask.method, path, query, settings_->host, payload}, fields,
                 std::chrono::system_clock::now());
    return fields;
  };
  using Repeat = remote::HttpAsk::Repeat;
  co_return co_await service_->ask({.method = ask.method,
                                    .url = std::move(url),
                                    .repeat = ask.repeat ? Repeat::kYes : Repeat::kNo,
                                    .headers = headers,
                                    .body = ask.body},
                                   request.deadline);
}

Error Client::told(const remote::HttpResponse& response, std::string_view code,
                   std::string_view message) {
  unsigned status = response.status();
  std::string text = fmt::format("{} answers {}", service_->options().name, status);
  if (!code.empty()) text += fmt::format(" {}", remote::said(code));
  if (!message.empty()) text += fmt::format(": {}", remote::said(message));
  std::uint64_t theirs = read_time(response.header("date"));
  std::uint64_t ours = seconds_now();
  std::uint64_t skew = theirs > ours ? theirs - ours : ours - theirs;
  std::string_view region = response.header("x-amz-bucket-region");
  bool refused = status == kForbidden || status == kBadRequest;
  if (code == "RequestTimeTooSkewed" || (refused && theirs != 0 && skew > kSkewSeconds)) {
    text +=
        fmt::format("; the server's clock and this host's are {} s apart: set this host's", skew);
  } else if (code == "NoSuchBucket") {
    text += fmt::format("; there is no bucket {}: make it, or correct `bucket`", settings_->bucket);
  } else if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch") {
    text += "; correct `access-key-id` and `secret-access-key`";
  } else if (!region.empty() && region != settings_->region) {
    text += fmt::format("; the bucket is in {}: correct `region`", region);
  } else if (status == kMovedPermanently) {
    text += "; the bucket is elsewhere: correct `region` or `url`";
  } else if (status == kForbidden && code.empty()) {
    text += "; the keys are wrong, or do not let us do that";
  }
  return {code_for(status, code), std::move(text)};
}

Task<Error> Client::explain(Request request, Response response) {
  auto text = co_await response->text(request.deadline);
  if (!text) co_return std::move(text).error();
  auto root = parse_xml(*text);
  if (!root) co_return told(*response, {}, {});
  co_return told(*response, root->text_of("Code"), root->text_of("Message"));
}

// Reads what is left, so that the connection can be used again.
Task<void> Client::settle(Request request, Response response) {
  unsigned status = response->status();
  if (status == kOk || status == kNoContent) {
    CO_TRY_VOID(co_await response->text(request.deadline));
    co_return Result<void>();
  }
  CO_TRY(Error error, co_await explain(request, std::move(response)));
  co_return std::unexpected(std::move(error));
}

Task<std::optional<Head>> Client::head(Request request, std::string key) {
  CO_TRY(Response response, co_await ask(request, {.method = "HEAD", .key = key}));
  if (response->status() == kStatusNotFound) co_return std::nullopt;
  if (response->status() != kOk) {
    CO_TRY(Error error, co_await explain(request, std::move(response)));
    co_return std::unexpected(std::move(error));
  }
  Head head{.size = read_number(response->header("content-length")),
            .modified_at = read_time(response->header("last-modified")),
            .etag = std::string(response->header("etag")),
            .name = read_name(*response)};
  // Some round the time up, so that the object seems to come from the future.
  if (std::uint64_t now = read_time(response->header("date")); now != 0) {
    head.modified_at = std::min(head.modified_at, now);
  }
  co_return head;
}

Task<Client::Response> Client::get(Request request, std::string key, Range range,
                                   std::string etag) {
  Fields headers;
  if (range.first != 0 || range.last != UINT64_MAX) {
    std::string last = range.last == UINT64_MAX ? "" : std::to_string(range.last);
    headers.emplace_back("range", fmt::format("bytes={}-{}", range.first, last));
  }
  if (!etag.empty()) headers.emplace_back("if-match", etag);
  unsigned wanted = headers.empty() || headers[0].first != "range" ? kOk : kPartial;
  CO_TRY(Response response,
         co_await ask(request, {.method = "GET", .key = key, .headers = std::move(headers)}));
  unsigned status = response->status();
  if (status == wanted || status == remote::kStatusNoRange) co_return response;
  if (status == kOk) {
    co_return failure(Errc::kUnsupported,
                      fmt::format("{} gives no ranges of objects", service_->options().name));
  }
  CO_TRY(Error error, co_await explain(request, std::move(response)));
  co_return std::unexpected(std::move(error));
}

Task<void> Client::put(Request request, std::string key, Pieces body, std::string name) {
  Ask put{.method = "PUT", .key = std::move(key), .body = body};
  add_name(put.headers, name);
  CO_TRY(Response response, co_await ask(request, std::move(put)));
  bool named = !response->header("etag").empty();
  CO_TRY_VOID(co_await settle(request, std::move(response)));
  // Something else that says yes to everything has kept nothing.
  if (named) co_return Result<void>();
  co_return failure(Errc::kUnavailable,
                    fmt::format("{} took an object and gave it no ETag, so it is no S3: correct "
                                "`url`",
                                service_->options().name));
}

Task<bool> Client::put_new(Request request, std::string key, std::string text) {
  Bytes body = one_piece(text);
  CO_TRY(Response response, co_await ask(request, {.method = "PUT",
                                                   .key = key,
                                                   .headers = {{"if-none-match", "*"}},
                                                   .body = Pieces(&body, 1),
                                                   .payload = sha256_hex(body),
                                                   .repeat = false}));
  if (response->status() == kPreconditionFailed || response->status() == kConflictStatus) {
    co_return false;
  }
  // There are servers that know no such condition.
  if (response->status() == kNotImplemented) {
    CO_TRY_VOID(co_await put(request, std::move(key), Pieces(&body, 1), {}));
    co_return true;
  }
  CO_TRY_VOID(co_await settle(request, std::move(response)));
  co_return true;
}

Task<void> Client::remove(Request request, std::string key) {
  CO_TRY(Response response, co_await ask(request, {.method = "DELETE", .key = std::move(key)}));
  co_return co_await settle(request, std::move(response));
}

Task<void> Client::remove_many(Request request, std::vector<std::string> keys) {
  for (std::size_t at = 0; at < keys.size(); at += kDeleteMax) {
    std::string text = "<Delete><Quiet>true</Quiet>";
    for (std::size_t i = at; i < std::min(keys.size(), at + kDeleteMax); ++i) {
      text += fmt::format("<Object><Key>{}</Key></Object>", remote::xml_escaped(keys[i]));
    }
    text += "</Delete>";
    Bytes body = one_piece(text);
    CO_TRY(Response response, co_await ask(request, {.method = "POST",
                                                     .query = {{"delete", ""}},
                                                     .headers = {{"content-md5", md5_base64(text)}},
                                                     .body = Pieces(&body, 1),
                                                     .payload = sha256_hex(body)}));
    if (response->status() != kOk) {
      CO_TRY(Error error, co_await explain(request, std::move(response)));
      co_return std::unexpected(std::move(error));
    }
    CO_TRY(std::string answer, co_await response->text(request.deadline));
    CO_TRY(XmlElement root, parse_xml(answer));
    for (const XmlElement& each : root.children) {
      if (each.name != "Error" || each.text_of("Code") == "NoSuchKey") continue;
      bool denied = each.text_of("Code") == "AccessDenied";
      co_return failure(
          denied ? Errc::kDenied : Errc::kUnavailable,
          fmt::format("{} did not delete {}: {}: {}", service_->options().name,
                      shown(each.text_of("Key")), each.text_of("Code"), each.text_of("Message")));
    }
  }
  co_return Result<void>();
}

Task<bool> Client::copy(Request request, std::string from, std::string to, bool new_name,
                        std::string name) {
  Ask copy{.method = "PUT",
           .key = std::move(to),
           .headers = {{"x-amz-copy-source",
                        fmt::format("/{}/{}", settings_->bucket, encoded_path(from))}},
           .repeat = false};
  if (new_name) {
    copy.headers.emplace_back("x-amz-metadata-directive", "REPLACE");
    add_name(copy.headers, name);
  }
  CO_TRY(Response response, co_await ask(request, std::move(copy)));
  if (response->status() == kStatusNotFound) {
    CO_TRY(Error error, co_await explain(request, std::move(response)));
    if (error.message().find("NoSuchBucket") == std::string::npos) co_return false;
    co_return std::unexpected(std::move(error));
  }
  if (response->status() != kOk) {
    CO_TRY(Error error, co_await explain(request, std::move(response)));
    co_return std::unexpected(std::move(error));
  }
  // A copy that takes long is answered before it is done.
  CO_TRY(std::string answer, co_await response->text(request.deadline));
  CO_TRY(XmlElement root, parse_xml(answer));
  if (root.name != "Error") co_return true;
  Error error = told(*response, root.text_of("Code"), root.text_of("Message"));
  co_return failure(Errc::kUnavailable, error.message());
}

Task<Listing> Client::list(Request request, std::string prefix, std::string after,
                           std::size_t most) {
  Fields query{{"list-type", "2"},
               {"encoding-type", "url"},
               {"max-keys", std::to_string(most)},
               {"prefix", std::move(prefix)}};
  if (!after.empty()) query.emplace_back("start-after", std::move(after));
  CO_TRY(Response response, co_await ask(request, {.method = "GET", .query = std::move(query)}));
  if (response->status() != kOk) {
    CO_TRY(Error error, co_await explain(request, std::move(response)));
    co_return std::unexpected(std::move(error));
  }
  CO_TRY(std::string answer, co_await response->text(request.deadline));
  CO_TRY(XmlElement root, parse_xml(answer));
  Listing listing;
  listing.more = root.text_of("IsTruncated") == "true";
  bool as_url = root.text_of("EncodingType") == "url";
  for (const XmlElement& each : root.children) {
    if (each.name != "Contents") continue;
    std::string_view key = each.text_of("Key");
    listing.keys.push_back(as_url ? decoded(key) : std::string(key));
  }
  co_return listing;
}

Task<void> Client::reach(Request request) {
  CO_TRY_VOID(co_await list(request, settings_->prefix.value_or(""), {}, 1));
  co_return Result<void>();
}

Task<std::string> Client::begin_upload(Request request, std::string key, std::string name) {
  Ask post{.method = "POST", .key = std::move(key), .query = {{"uploads", ""}}};
  add_name(post.headers, name);
  CO_TRY(Response response, co_await ask(request, std::move(post)));
  if (response->status() != kOk) {
    CO_TRY(Error error, co_await explain(request, std::move(response)));
    co_return std::unexpected(std::move(error));
  }
  CO_TRY(std::string answer, co_await response->text(request.deadline));
  CO_TRY(XmlElement root, parse_xml(answer));
  std::string upload(root.text_of("UploadId"));
  if (!upload.empty()) co_return upload;
  co_return failure(Errc::kCorrupt, fmt::format("{} began an upload and did not name it",
                                                service_->options().name));
}

Task<Part> Client::put_part(Request request, std::string key, std::string upload, unsigned number,
                            Pieces body) {
  CO_TRY(Response response, co_await ask(request, {.method = "PUT",
                                                   .key = std::move(key),
                                                   .query = {{"partNumber", std::to_string(number)},
                                                             {"uploadId", std::move(upload)}},
                                                   .body = body}));
  Part part{number, std::string(response->header("etag"))};
  CO_TRY_VOID(co_await settle(request, std::move(response)));
  co_return part;
}

Task<void> Client::complete(Request request, std::string key, std::string upload,
                            std::vector<Part> parts) {
  std::string text = "<CompleteMultipartUpload>";
  for (const Part& part : parts) {
    text += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", part.number,
                        remote::xml_escaped(part.etag));
  }
  text += "</CompleteMultipartUpload>";
  Bytes body = one_piece(text);
  CO_TRY(Response response, co_await ask(request, {.method = "POST",
                                                   .key = std::move(key),
                                                   .query = {{"uploadId", std::move(upload)}},
                                                   .body = Pieces(&body, 1),
                                                   .payload = sha256_hex(body),
                                                   .repeat = false}));
  if (response->status() != kOk) {
    CO_TRY(Error error, co_await explain(request, std::move(response)));
    co_return std::unexpected(std::move(error));
  }
  // One that takes long is answered before it is done.
  CO_TRY(std::string answer, co_await response->text(request.deadline));
  CO_TRY(XmlElement root, parse_xml(answer));
  if (root.name != "Error") co_return Result<void>();
  Error error = told(*response, root.text_of("Code"), root.text_of("Message"));
  co_return failure(Errc::kUnavailable, error.message());
}

Task<void> Client::abort(Request request, std::string key, std::string upload) {
  CO_TRY(Response response, co_await ask(request, {.method = "DELETE",
                                                   .key = std::move(key),
                                                   .query = {{"uploadId", std::move(upload)}}}));
  if (response->status() == kStatusNotFound) co_return Result<void>();
  co_return co_await settle(request, std::move(response));
}

}  // namespace weft::blobstore::s3
