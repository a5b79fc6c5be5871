#include "node/links/node_provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "door/late_call.h"
#include "io/loop.h"
#include "node/client/description.h"
#include "node/runs/link_meter.h"
#include "values/relocate.h"

namespace weft::node::links {
namespace {

// Where nothing has a number: only plain values go to nodes.
struct NoNumbers final : Renumbering {
  static std::unexpected<Error> none() { return failure(Errc::kInvalid, "a handle"); }
  Result<std::uint32_t> own(std::string_view, std::uint32_t) override { return none(); }
  Result<std::uint32_t> borrow(std::string_view, std::uint32_t) override { return none(); }
  Result<std::uint32_t> reader(PipeKind, std::uint32_t) override { return none(); }
  Result<std::uint32_t> writer(PipeKind, std::uint32_t) override { return none(); }
};

std::uint64_t left_ms(Deadline deadline) {
  using namespace std::chrono;
  auto left = ceil<milliseconds>(deadline.when() - Deadline::Clock::now());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, left.count()));
}

// Of a receipt: why there is no result.
Error not_done(const Receipt& receipt) {
  switch (receipt.outcome) {
    case Outcome::kLimited: return Error(Errc::kLimit, receipt.message);
    case Outcome::kCancelled: return Error(Errc::kCancelled, receipt.message);
    case Outcome::kFailed: return Error(Errc::kUnavailable, receipt.message);
    case Outcome::kUnfit:
      return Error(Errc::kTrap, fmt::format("it cannot run there: {}", receipt.message));
    case Outcome::kTrapped:
    case Outcome::kDone: break;
  }
  return Error(Errc::kTrap, fmt::format("it trapped there: {}", receipt.message));
}

// Whether what we know of the node may be what is wrong.
bool is_doubt(Errc code) {
  return code == Errc::kNotFound || code == Errc::kInvalid || code == Errc::kCorrupt;
}

}  // namespace

struct NodeProvider::Busy {
  explicit Busy(Served& served) : count(served.busy) { ++count; }
  Busy(const Busy&) = delete;
  ~Busy() { --count; }
  std::size_t& count;
};

struct NodeProvider::Paying {
  LateCall& late;
  runs::LinkPayer* payer;

  // Null: nobody, or the call was given up, and who pays may be gone.
  runs::LinkPayer* now() const { return late.waiting() ? payer : nullptr; }
};

NodeProvider::NodeProvider(std::shared_ptr<Way> way, NodeImport import,
                           const std::shared_ptr<const NodeOffer>& offer)
    : served_(std::make_shared<Served>()) {
  served_->way = std::move(way);
  served_->import = std::move(import);
  for (const ImportedFunction& each : served_->import.functions) {
    auto signature = parse_signature(each.signature);
    CHECK(signature);  // The engine wrote it.
    served_->signatures.push_back(*std::move(signature));
  }
  if (offer != nullptr) {
    auto bound = bind(served_->import, *offer);
    if (bound) served_->bound = *std::move(bound);
  }
}

void NodeProvider::begin(Call& call, Completion done) {
  if (served_->busy >= kNodeCallsMax) {
    return std::move(done).fail(
        Error(Errc::kLimit,
              fmt::format("{}: {} calls are under way", served_->import.who, kNodeCallsMax)));
  }
  Deadline deadline = call.deadline();
  if (deadline.is_never()) {
    deadline = Deadline::after(kNodeCallMax);
    call.shorten(deadline);
  }
  std::uint32_t number = call.function().ordinal;
  Bytes arguments(call.arguments().begin(), call.arguments().end());
  runs::LinkPayer* payer = runs::payer_of(call.context());
  auto late = std::make_unique<LateCall>(std::move(done));
  Paying paying{*late, payer};
  LateCall::spawn(std::move(late), serve(served_, number, std::move(arguments), deadline, paying));
}

Task<void> NodeProvider::serve(std::shared_ptr<Served> served, std::uint32_t number,
                               Bytes arguments, Deadline deadline, Paying paying) {
  Busy busy(*served);
  auto result = co_await call(served, number, std::move(arguments), deadline, paying);
  if (!paying.late.waiting()) co_return Result<void>();
  Completion done = paying.late.take();
  if (result) {
    done.reply().append(*result);
    std::move(done).finish();
  } else {
    std::move(done).fail(std::move(result).error().within(served->import.who));
  }
  co_return Result<void>();
}

Task<Bytes> NodeProvider::call(std::shared_ptr<Served> served, std::uint32_t number,
                               Bytes arguments, Deadline deadline, Paying paying) {
  // What a node says that it does not have was not begun: asked anew, it may have it elsewhere.
  for (bool again = false;; again = true) {
    CO_TRY(Way::Remote node, co_await served->way->node(deadline));
    bool fresh = !served->bound;
    CO_TRY(Bound there, co_await bound(served, node, deadline));
    client::RemoteRun run{.module = there.module,
                          .function = there.functions[number],
                          .arguments = arguments,
                          .limits = {.time_ms = left_ms(deadline)}};
    auto result = co_await execute(served, node, std::move(run), number, deadline, paying);
    if (result) co_return result;
    Errc code = result.error().code();
    if (is_doubt(code)) served->bound.reset();
    if (code == Errc::kUnavailable) served->way->lost(node);
    if (code != Errc::kNotFound || again || fresh) co_return result;
  }
}

Task<Bound> NodeProvider::bound(std::shared_ptr<Served> served, Way::Remote node,
                                Deadline deadline) {
  if (served->bound) co_return *served->bound;
  auto told = co_await node->describe(deadline);
  if (!told) {
    if (told.error().code() == Errc::kUnavailable) served->way->lost(node);
    co_return std::unexpected(std::move(told).error());
  }
  CO_TRY(auto description, client::read_description(*told));
  CO_TRY(NodeOffer offer, offer_of(description, served->import.library));
  CO_TRY(Bound now, bind(served->import, offer));
  served->bound = now;
  co_return now;
}

Task<Bytes> NodeProvider::execute(std::shared_ptr<Served> served, Way::Remote node,
                                  client::RemoteRun run, std::uint32_t number, Deadline deadline,
                                  Paying paying) {
  const weft::Signature& signature = served->signatures[number];
  Bytes result;
  bool too_long = false;
  // What the function prints there is not ours.
  auto take = [&](OutputStream stream, BytesView bytes) {
    too_long |= bytes.size() > kResultBytesMax - result.size();
    if (stream != OutputStream::kResult || too_long) return;
    result.insert(result.end(), bytes.begin(), bytes.end());
  };
  Hash name;
  run.name = &name;
  run.until = wire::NodeClient::Until::kComplete;
  std::size_t sent = run.arguments.size();
  if (auto* payer = paying.now()) CO_TRY_VOID(payer->sends(sent));
  bool unsent = false;
  bool too_much = false;
  run.watch.unsent = &unsent;
  run.watch.came = [&](std::size_t bytes) -> Result<void> {
    auto* payer = paying.now();
    if (payer == nullptr) return {};
    auto may = payer->receives(bytes);
    too_much |= !may;
    return may;
  };
  auto end = co_await node->execute(std::move(run), take, deadline);
  if (auto* payer = paying.now(); payer != nullptr && unsent) payer->unsent(sent);
  if (!end) {
    Errc code = end.error().code();
    bool given_up = code == Errc::kCancelled || code == Errc::kTimeout || too_much;
    if (given_up && name != Hash()) Way::cancel(served->way, node, name);
    co_return std::unexpected(std::move(end).error());
  }
  if (end->receipt.outcome != Outcome::kDone) co_return std::unexpected(not_done(end->receipt));
  if (too_long) {
    co_return failure(Errc::kLimit,
                      fmt::format("its result has more than {} bytes", kResultBytesMax));
  }
  NoNumbers numbers;
  Buffer unread;
  if (auto fits = relocate_result(signature, result, numbers, unread); !fits) {
    co_return failure(
        Errc::kCorrupt,
        fmt::format("{} of {} is answered with what is no result of {}: {}",
                    served->import.functions[number].name,
                    served->import.functions[number].interface,
                    served->import.functions[number].signature, fits.error().message()));
  }
  co_return result;
}

}  // namespace weft::node::links
