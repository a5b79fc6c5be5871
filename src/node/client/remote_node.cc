#include "node/client/remote_node.h"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

#include "io/loop.h"
#include "node/wire/node_api.h"
#include "node/wire/peers.h"
#include "remote/http/signal.h"

namespace weft::node::client {
namespace {

constexpr std::chrono::milliseconds kResumePause{200};
// A connection that held so long was a good one: the run was only silent.
constexpr std::chrono::seconds kHeldLong{5};

}  // namespace

RemoteNode::RemoteNode(Loop& loop, wire::NodeAddress address, const SigningKey& key)
    : loop_(loop), key_(key), client_(loop, std::move(address)) {}

Bytes RemoteNode::request(Request request) const {
  using namespace std::chrono;
  request.audience = Audience::of(client_.address().key);
  request.nonce = random_nonce();
  request.made = unix_now();
  request.expires =
      request.made + static_cast<UnixMs>(duration_cast<milliseconds>(kRequestLife).count());
  request.reply = key_.public_key();
  return sign(request, key_);
}

Task<Bytes> RemoteNode::ask(Request wanted, Bytes follows, Deadline deadline) {
  co_return co_await client_.ask(request(std::move(wanted)), std::move(follows), deadline);
}

Task<std::string> RemoteNode::describe(Deadline deadline) {
  CO_TRY(Bytes answer, co_await ask({.action = Action::kDescribe}, {}, deadline));
  co_return std::string(as_text(answer));
}

Task<library::ChunkList> RemoteNode::fetch(Hash module, std::function<Result<void>(BytesView)> take,
                                           Deadline deadline) {
  CO_TRY(Bytes answer, co_await ask({.action = Action::kFetch, .module = module}, {}, deadline));
  if (answer.size() < wire::kTicketBytes) {
    co_return failure(Errc::kCorrupt, "the node's answer is no ticket with a list");
  }
  std::string ticket = hex(BytesView(answer).first(wire::kTicketBytes));
  CO_TRY(auto list,
         library::ChunkList::decode(BytesView(answer).subspan(wire::kTicketBytes), module));
  for (std::size_t i = 0; i < list.count(); ++i) {
    CO_TRY(Bytes chunk,
           co_await client_.read_chunk(ticket, static_cast<std::uint32_t>(i), deadline));
    CO_TRY_VOID(list.verify(i, chunk));
    CO_TRY_VOID(take(chunk));
  }
  co_return list;
}

Task<std::size_t> RemoteNode::store(const library::ChunkList& list,
                                    std::function<Result<Bytes>(std::uint32_t)> chunk,
                                    Deadline deadline) {
  CO_TRY(Opened opened, co_await open_store(list, {}, deadline));
  const auto& [ticket, there] = opened;
  // Several are on their way at once; each of them takes the next that is missing.
  struct Sending {
    std::uint32_t next = 0;
    std::size_t sent = 0;
    std::size_t busy = 0;
    std::optional<Error> failed = {};
    remote::Signal done;
    explicit Sending(Loop& loop) : done(loop) {}
  };
  auto sending = std::make_shared<Sending>(loop_);
  auto send = [](RemoteNode& self, std::shared_ptr<Sending> mine, const library::ChunkList& all,
                 const library::ChunkBits& have, std::string to,
                 std::function<Result<Bytes>(std::uint32_t)>& read, Deadline until) -> Task<void> {
    while (mine->next < all.count() && !mine->failed) {
      std::uint32_t index = mine->next++;
      if (have.has(index)) continue;
      CO_TRY(Bytes bytes, read(index));
      CO_TRY_VOID(co_await self.client_.write_chunk(to, index, std::move(bytes), until));
      ++mine->sent;
    }
    co_return Result<void>();
  };
  for (std::size_t i = 0; i < kChunksAtOnce; ++i) {
    ++sending->busy;
    loop_.spawn(send(*this, sending, list, there, ticket, chunk, deadline),
                [sending](Result<void> ended) {
                  if (!ended && !sending->failed) sending->failed = std::move(ended).error();
                  if (--sending->busy == 0) sending->done.raise();
                });
  }
  CO_TRY_VOID(co_await sending->done.wait(Deadline::never()));
  if (sending->failed) co_return std::unexpected(*sending->failed);
  co_return sending->sent;
}

Task<RemoteNode::Opened> RemoteNode::open_store(const library::ChunkList& list,
                                                std::vector<wire::NodeAddress> peers,
                                                Deadline deadline) {
  Bytes follows = list.encode();
  Bytes named = wire::peers_text(peers);
  follows.insert(follows.end(), named.begin(), named.end());
  CO_TRY(Bytes answer, co_await ask({.action = Action::kStore, .module = list.name()},
                                    std::move(follows), deadline));
  if (answer.size() < wire::kTicketBytes) {
    co_return failure(Errc::kCorrupt, "the node's answer is no ticket with what is there");
  }
  CO_TRY(auto there,
         library::ChunkBits::decode(BytesView(answer).subspan(wire::kTicketBytes), list.count()));
  co_return Opened{hex(BytesView(answer).first(wire::kTicketBytes)), std::move(there)};
}

Task<std::string> RemoteNode::open_fetch(const library::ChunkList& list, Deadline deadline) {
  CO_TRY(Bytes answer,
         co_await ask({.action = Action::kFetch, .module = list.name()}, {}, deadline));
  if (answer.size() < wire::kTicketBytes) {
    co_return failure(Errc::kInvalid, "the node's answer is no ticket with a list");
  }
  co_return hex(BytesView(answer).first(wire::kTicketBytes));
}

Task<library::ChunkBits> RemoteNode::have(std::string ticket, const library::ChunkList& list,
                                          std::uint32_t more_than, Deadline deadline) {
  CO_TRY(Bytes answer, co_await client_.have_chunks(std::move(ticket), more_than, deadline));
  co_return library::ChunkBits::decode(answer, list.count());
}

Task<RemoteEnd> RemoteNode::execute(RemoteRun run, ProvenOutput::Frame take, Deadline deadline) {
  Request wanted{.action = run.function.empty() ? Action::kRun : Action::kCall,
                 .module = run.module,
                 .function = run.function,
                 .arguments = Hash::of(run.arguments),
                 .limits = run.limits};
  for (bool stored = false;; stored = true) {
    Bytes asked = request(wanted);
    Hash name = Hash::of(asked);
    last_ = name;
    if (run.name != nullptr) *run.name = name;
    ProvenOutput output(name, client_.address().key);
    auto followed =
        co_await follow(asked, run.arguments, output, take, deadline, run.until, run.watch);
    if (followed) {
      co_return RemoteEnd{output.receipt().value_or(Receipt()), asked, output.receipt_bytes()};
    }
    bool missing = followed.error().code() == Errc::kNotFound;
    if (!missing || stored || run.list == nullptr) {
      co_return std::unexpected(std::move(followed).error());
    }
    last_.reset();
    CO_TRY_VOID(co_await store(*run.list, run.chunk, deadline));
  }
}

// To the receipt, over as many connections as it takes.
Task<void> RemoteNode::follow(Bytes signed_request, Bytes follows, ProvenOutput& output,
                              const ProvenOutput::Frame& take, Deadline deadline,
                              wire::NodeClient::Until until, wire::NodeClient::Watch watch) {
  Hash name = Hash::of(signed_request);
  bool begun = false;
  auto outcome = co_await client_.follow(signed_request, std::move(follows), output, take, deadline,
                                         until, &begun, watch);
  // What the node never had has nothing to be resumed.
  if (!outcome && !begun) co_return outcome;
  std::uint64_t before = 0;
  for (int tries = 0; !outcome && tries < kResumesMax && !deadline.passed(); ++tries) {
    // Only a connection that broke is worth another one; what the node says is said.
    if (outcome.error().code() != Errc::kUnavailable) break;
    CO_TRY_VOID(co_await remote::pause(loop_, Deadline::after(kResumePause)));
    std::uint64_t at = output.proven();
    if (std::exchange(before, at) != at) tries = 0;
    output.broken();
    auto began = Deadline::Clock::now();
    auto again =
        co_await client_.follow(request({.action = Action::kResume, .run = name, .from = at}), {},
                                output, take, deadline, until, nullptr, {.came = watch.came});
    // It may never have had the request, or have forgotten the run: the first failure says more.
    if (!again && again.error().code() == Errc::kNotFound) break;
    outcome = std::move(again);
    if (Deadline::Clock::now() - began > kHeldLong) tries = 0;
  }
  if (!outcome && outcome.error().code() == Errc::kUnavailable) {
    co_return failure(Errc::kUnavailable,
                      outcome.error().message() + "; whether it was done is not known");
  }
  co_return outcome;
}

Task<void> RemoteNode::cancel(Hash run, Deadline deadline) {
  CO_TRY(Bytes answer, co_await ask({.action = Action::kCancel, .run = run}, {}, deadline));
  co_return Result<void>();
}

}  // namespace weft::node::client
