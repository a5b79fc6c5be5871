#include "engine/outgoing.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/flat_headers.h"

namespace weft {
namespace {

std::string_view view(const rust::String& text) {
  return {text.data(), text.size()};
}

HttpHeaders unflatten(BytesView flat) {
  HttpHeaders headers;
  for (FlatHeaders all(flat); !all.done();) {
    std::string name(all.part());
    headers.emplace_back(std::move(name), all.part());
  }
  return headers;
}

Buffer flatten(const HttpHeaders& headers) {
  Buffer flat;
  for (const auto& [name, value] : headers) put_flat(flat, name, value);
  return flat;
}

bridge::OutgoingProblem to_bridge(HttpProblem problem) {
  using To = bridge::OutgoingProblem;
  switch (problem) {
    case HttpProblem::kDenied: return To::Denied;
    case HttpProblem::kUrl: return To::Url;
    case HttpProblem::kDnsTimeout: return To::DnsTimeout;
    case HttpProblem::kDnsError: return To::DnsError;
    case HttpProblem::kConnectionRefused: return To::ConnectionRefused;
    case HttpProblem::kConnectionTimeout: return To::ConnectionTimeout;
    case HttpProblem::kUnroutable: return To::Unroutable;
    case HttpProblem::kUnavailable: return To::Unavailable;
    case HttpProblem::kConnectionLimit: return To::ConnectionLimit;
    case HttpProblem::kTlsCertificate: return To::TlsCertificate;
    case HttpProblem::kTlsProtocol: return To::TlsProtocol;
    case HttpProblem::kTerminated: return To::Terminated;
    case HttpProblem::kReadTimeout: return To::ReadTimeout;
    case HttpProblem::kHeaderSize: return To::HeaderSize;
    case HttpProblem::kIncomplete: return To::Incomplete;
    case HttpProblem::kProtocol: return To::Protocol;
    case HttpProblem::kBodyBroken: return To::BodyBroken;
    case HttpProblem::kInternal: return To::Internal;
  }
  return To::Internal;
}

std::string grant(const std::string& origin) {
  return fmt::format("--allow-http '{}'", origin);
}

}  // namespace

// One request of a guest under way. Owned by Outgoing; drops itself when it ends.
class Outgoing::Sending final : public Pollable, public HttpTransferListener {
 public:
  Sending(Outgoing& owner, HttpTarget target, rust::Box<bridge::OutgoingTransfer> guest,
          std::shared_ptr<NetGate> gate, const Sender& sender)
      : owner_(owner),
        target_(std::move(target)),
        guest_(std::move(guest)),
        gate_(std::move(gate)),
        sender_(sender),
        slot_(owner.engine_.add(*this)) {
    guest_->attach({owner.engine_.wakes(), slot_.index, slot_.generation});
  }
  ~Sending() override { owner_.engine_.remove(slot_); }

  void begin(const HttpClientRequest& request) {
    if (sender_.meter != nullptr) sender_.meter->sent.add();
    if (traced()) {
      span_ = {.context = sender_.trace,
               .kind = Span::Kind::kClient,
               .name = request.method,
               .began = Deadline::Clock::now(),
               .attributes = {{"http.request.method", request.method},
                              {"server.address", target_.origin()},
                              {"weft.app", sender_.meter->app},
                              {"weft.component", sender_.meter->component}}};
    }
    auto started = owner_.client_.start(request, *this);
    if (started) {
      transfer_ = *std::move(started);
      return;
    }
    bool limit = started.error().code() == Errc::kLimit;
    failed(limit ? HttpProblem::kConnectionLimit : HttpProblem::kUrl, started.error().message());
  }

  // The guest took some of the response, has more to send, or is gone.
  void poll() override {
    if (!guest_->is_wanted()) {
      end();
      return;
    }
    transfer_->resume_body();
    if (transfer_->waits_for_room() && guest_->has_room()) transfer_->resume_response();
  }

  bool may_connect(const IpAddress& address) override {
    CHECK(owner_.engine_.loop().on_this_loop());
    if (gate_->rules().allows(target_, address)) return true;
    // What is missing is a rule for the address: the name's own is there.
    HttpTarget there = target_;
    there.host = {.name = {}, .address = address};
    gate_->refused(fmt::format("reach {}, which leads to the {} address {}", target_.origin(),
                               to_string(kind_of(address)), address.text()),
                   grant(there.origin()));
    return false;
  }
  std::int64_t read(std::span<std::uint8_t> room) override {
    return guest_->read({room.data(), room.size()});
  }
  void head(unsigned status, const HttpHeaders& headers) override {
    if (traced()) {
      span_.attributes.emplace_back("http.response.status_code", fmt::format("{}", status));
      if (status >= 400) span_.error = fmt::format("status {}", status);
    }
    Buffer flat = flatten(headers);
    guest_->head(static_cast<std::uint16_t>(status), {flat.data(), flat.size()});
  }
  bool has_room() override { return guest_->has_room(); }
  void data(BytesView bytes) override { guest_->data({bytes.data(), bytes.size()}); }
  void finished(const HttpHeaders& trailers) override {
    Buffer flat = flatten(trailers);
    guest_->finish({flat.data(), flat.size()});
    end();
  }
  void failed(HttpProblem problem, const std::string& detail) override {
    guest_->fail(to_bridge(problem), {detail.data(), detail.size()});
    if (sender_.meter != nullptr) {
      bool denied = problem == HttpProblem::kDenied;
      (denied ? sender_.meter->send_refusals : sender_.meter->send_failures).add();
    }
    span_.error = to_string(problem);
    end();
  }

 private:
  bool traced() const {
    return sender_.observer != nullptr && sender_.observer->spans() != nullptr &&
           sender_.trace.sampled();
  }
  void end() {
    if (traced()) {
      span_.ended = Deadline::Clock::now();
      sender_.observer->spans()->add(std::move(span_));
    }
    owner_.sendings_.erase(this);
  }

  Outgoing& owner_;
  const HttpTarget target_;
  rust::Box<bridge::OutgoingTransfer> guest_;
  const std::shared_ptr<NetGate> gate_;  // Shared with the component's other instances.
  const Sender sender_;
  Span span_;  // Where it is traced.
  const EngineLoop::Slot slot_;
  std::unique_ptr<HttpTransfer> transfer_;
};

Outgoing& Outgoing::of(EngineLoop& engine) {
  if (engine.outgoing() == nullptr) engine.outgoing() = std::make_unique<Outgoing>(engine);
  return static_cast<Outgoing&>(*engine.outgoing());
}

Outgoing::Outgoing(EngineLoop& engine)
    : engine_(engine), client_(engine.loop(), engine.http_client_options()) {}

Outgoing::~Outgoing() = default;

void Outgoing::send(const bridge::OutgoingRequest& request,
                    rust::Box<bridge::OutgoingTransfer> guest, const std::shared_ptr<NetGate>& gate,
                    Sender sender) {
  CHECK(engine_.loop().on_this_loop());
  auto target =
      HttpTarget::parse(view(request.scheme), view(request.authority), view(request.path));
  if (!target) {
    const std::string& why = target.error().message();
    guest->fail(bridge::OutgoingProblem::Url, {why.data(), why.size()});
    return;
  }
  if (!gate->rules().allows(*target)) {
    gate->refused(fmt::format("reach {}", target->origin()), grant(target->origin()));
    if (sender.meter != nullptr) sender.meter->send_refusals.add();
    guest->fail(bridge::OutgoingProblem::Denied, "");
    return;
  }
  auto millis = [](std::uint64_t count) {
    constexpr std::uint64_t kMost = 1U << 30U;
    return std::chrono::milliseconds(std::min(count, kMost));
  };
  HttpClientRequest out{
      .method = std::string(view(request.method)),
      .url = target->url(),
      .headers = unflatten({request.headers.data(), request.headers.size()}),
      .body_length = request.body_length,
      .connect_timeout = millis(request.connect_ms),
      .first_byte_timeout = millis(request.first_byte_ms),
      .between_bytes_timeout = millis(request.between_bytes_ms),
  };
  carry_on(out.headers, sender);
  sender.trace_state = {};
  auto sending =
      std::make_unique<Sending>(*this, *std::move(target), std::move(guest), gate, sender);
  Sending& self = *sending;
  sendings_.emplace(&self, std::move(sending));
  self.begin(out);
}

// What is sent stands under the request that the guest serves: with a span of its own where spans
// are exported, and otherwise directly.
void Outgoing::carry_on(HttpHeaders& headers, Sender& sender) {
  if (!sender.trace.known()) return;
  if (sender.observer != nullptr && sender.observer->spans() != nullptr) {
    sender.trace.parent = sender.trace.span;
    sender.trace.span = ids_.next();
  }
  bool set = std::ranges::any_of(headers,
                                 [](const auto& header) { return header.first == "traceparent"; });
  if (set) return;
  headers.emplace_back("traceparent", traceparent_text(sender.trace));
  if (!sender.trace_state.empty()) headers.emplace_back("tracestate", sender.trace_state);
}

}  // namespace weft
