#include "node/wire/node_client.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <cstring>

#include "base/net_address.h"
#include "io/loop.h"
#include "node/wire/identity.h"
#include "node/wire/node_api.h"
#include "remote/http/service.h"

namespace weft::node::wire {
namespace {

constexpr unsigned kAnswered = 200;

// The node's own words, as far as they are any.
Error refused(const NodeAddress& address, unsigned status, std::string_view body) {
  boost::system::error_code bad;
  auto json = boost::json::parse(body, bad);
  std::string message = fmt::format("it answers with {}", status);
  if (!bad && json.is_object()) {
    if (const auto* said = json.get_object().if_contains("message"); said && said->is_string()) {
      message = std::string(said->get_string());
    }
  }
  return Error(code_of(status), fmt::format("node {}: {}", address.text(), message));
}

std::string host_in_url(const NodeAddress& address) {
  return address.host.contains(':') ? fmt::format("[{}]", address.host) : address.host;
}

// The length of the request, the request, what follows: one body.
Bytes body_of(const Bytes& request, const Bytes& follows) {
  Bytes body(sizeof(std::uint32_t));
  auto length = static_cast<std::uint32_t>(request.size());
  std::memcpy(body.data(), &length, sizeof length);
  body.reserve(body.size() + request.size() + follows.size());
  body.insert(body.end(), request.begin(), request.end());
  body.insert(body.end(), follows.begin(), follows.end());
  return body;
}

Task<Bytes> whole_body(remote::HttpResponse& response, Deadline deadline, NodeClient::Watch watch) {
  Bytes all;
  for (;;) {
    CO_TRY(Bytes piece, co_await response.read(deadline));
    if (piece.empty()) co_return all;
    if (watch.came) CO_TRY_VOID(watch.came(piece.size()));
    if (all.size() + piece.size() > kAnswerBytesMax) {
      co_return failure(Errc::kLimit, "a node answers with more than it may");
    }
    all.insert(all.end(), piece.begin(), piece.end());
  }
}

// What is left of an answer that nobody needs.
Task<void> read_to_end(std::unique_ptr<remote::HttpResponse> response, Deadline deadline) {
  for (std::size_t read = 0; read <= kTailBytesMax;) {
    CO_TRY(Bytes piece, co_await response->read(deadline));
    if (piece.empty()) co_return Result<void>();
    read += piece.size();
  }
  co_return Result<void>();
}

}  // namespace

Result<NodeAddress> NodeAddress::parse(std::string_view text) {
  auto wrong = [&] {
    return failure(
        Errc::kInvalid,
        fmt::format("\"{}\" is no node: write KEY@ADDRESS:PORT, as `weft net` prints it, "
                    "with the key's 64 digits and an IP address",
                    text.substr(0, 200)));
  };
  NodeAddress address;
  std::size_t at = text.find('@');
  std::size_t colon = text.rfind(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || colon < at) return wrong();
  TRY(address.key, PublicKey::parse(text.substr(0, at)));
  std::string_view host = text.substr(at + 1, colon - at - 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::string_view port = text.substr(colon + 1);
  auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (host.empty() || code != std::errc() || end != port.data() + port.size() ||
      address.port == 0 || !IpAddress::parse(host)) {
    return wrong();
  }
  address.host = std::string(host);
  return address;
}

std::string NodeAddress::text() const {
  return fmt::format("{}@{}:{}", key.text(), host_in_url(*this), port);
}

NodeClient::NodeClient(Loop& loop, NodeAddress address)
    : loop_(loop),
      address_(std::move(address)),
      url_(fmt::format("https://{}:{}/weft/1/", host_in_url(address_), address_.port)),
      service_(std::make_shared<remote::HttpService>(
          loop, remote::HttpServiceOptions{.name = fmt::format("node {}", address_.text()),
                                           .pinned_key = pin_of(address_.key),
                                           .timeout = kNodeSilenceMax})) {}

// The body is borrowed until the response is gone: a node may answer before all of it was sent.
Task<std::unique_ptr<remote::HttpResponse>> NodeClient::post(std::span<const Bytes> body,
                                                             Deadline deadline, bool* begun) {
  co_return co_await service_->ask({.method = "POST",
                                    .url = url_ + "request",
                                    .repeat = remote::HttpAsk::Repeat::kNever,
                                    .headers = [] { return HttpHeaders(); },
                                    .body = body,
                                    .begun = begun},
                                   deadline);
}

// A chunk may be moved twice: it is what it is.
Task<Bytes> NodeClient::move_chunk(const char* method, std::string path,
                                   std::span<const Bytes> body, Deadline deadline) {
  CO_TRY(auto response, co_await service_->ask({.method = method,
                                                .url = fmt::format("{}chunks/{}", url_, path),
                                                .repeat = remote::HttpAsk::Repeat::kYes,
                                                .headers = [] { return HttpHeaders(); },
                                                .body = body},
                                               deadline));
  co_return co_await answer_of(*response, deadline, {});
}

// All of an answer, or what the node says in its place.
Task<Bytes> NodeClient::answer_of(remote::HttpResponse& response, Deadline deadline, Watch watch) {
  CO_TRY(Bytes answer, co_await whole_body(response, deadline, std::move(watch)));
  if (response.status() == kAnswered) co_return answer;
  co_return std::unexpected(refused(address_, response.status(), as_text(answer)));
}

Task<Bytes> NodeClient::ask(Bytes request, Bytes follows, Deadline deadline) {
  Bytes body[] = {body_of(request, follows)};
  CO_TRY(auto response, co_await post(body, deadline));
  co_return co_await answer_of(*response, deadline, {});
}

Task<void> NodeClient::follow(Bytes request, Bytes follows, ProvenOutput& output,
                              ProvenOutput::Frame take, Deadline deadline, Until until, bool* begun,
                              Watch watch) {
  Bytes body[] = {body_of(request, follows)};
  auto posted = co_await post(body, deadline, begun);
  if (!posted) {
    // Where no connection came about; all else may have taken it there.
    bool none = posted.error().code() == Errc::kUnavailable && begun != nullptr && !*begun;
    if (watch.unsent != nullptr && none) *watch.unsent = true;
    co_return std::unexpected(std::move(posted).error());
  }
  auto response = *std::move(posted);
  // A node that refuses has not begun; one that fails may have.
  constexpr unsigned kBroken = 500;
  if (begun != nullptr) *begun = response->status() == kAnswered || response->status() == kBroken;
  if (response->status() != kAnswered) {
    CO_TRY(Bytes answer, co_await answer_of(*response, deadline, watch));
  }
  auto enough = [&] {
    return output.receipt() ||
           (until == Until::kComplete && output.complete() && output.returned());
  };
  while (!enough()) {
    CO_TRY(Bytes piece, co_await response->read(deadline));
    if (piece.empty()) {
      co_return failure(
          Errc::kUnavailable,
          fmt::format("node {}: its output ended without a receipt", address_.text()));
    }
    if (watch.came) CO_TRY_VOID(watch.came(piece.size()));
    CO_TRY_VOID(output.take(piece, take));
  }
  // Broken off, each would count against us there as one that is abandoned.
  if (!response->whole()) {
    loop_.spawn(read_to_end(std::move(response), deadline), [](Result<void>) {});
  }
  co_return Result<void>();
}

Task<Bytes> NodeClient::read_chunk(std::string ticket, std::uint32_t index, Deadline deadline) {
  co_return co_await move_chunk("GET", fmt::format("{}/{}", ticket, index), {}, deadline);
}

Task<void> NodeClient::write_chunk(std::string ticket, std::uint32_t index, Bytes chunk,
                                   Deadline deadline) {
  Bytes body[] = {std::move(chunk)};
  CO_TRY(Bytes answer,
         co_await move_chunk("PUT", fmt::format("{}/{}", ticket, index), body, deadline));
  co_return Result<void>();
}

Task<Bytes> NodeClient::have_chunks(std::string ticket, std::uint32_t more_than,
                                    Deadline deadline) {
  co_return co_await move_chunk("GET", fmt::format("{}/have/{}", ticket, more_than), {}, deadline);
}

}  // namespace weft::node::wire
