#include "node/daemon/desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/log.h"
#include "base/version.h"
#include "io/blocking.h"
#include "node/daemon/across.h"
#include "node/daemon/quota_meter.h"
#include "node/daemon/readers.h"
#include "node/wire/peers.h"
#include "remote/http/signal.h"

namespace weft::node::daemon {
namespace {

// "192.0.2.1:4711", "[::1]:4711": without the port.
std::string_view address_of(std::string_view peer) {
  std::size_t colon = peer.rfind(':');
  if (colon == std::string_view::npos) return peer;
  std::string_view address = peer.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  return address;
}

events::Refusal refusal_of(wire::Cut why) {
  switch (why) {
    case wire::Cut::kTooLong: return events::Refusal::kTooLong;
    case wire::Cut::kNoRoom: return events::Refusal::kQuota;
    case wire::Cut::kLate: return events::Refusal::kExpired;
    case wire::Cut::kGone:
    case wire::Cut::kMismatch: break;
  }
  return events::Refusal::kMismatch;
}

boost::json::object amounts_json(const Amounts& amounts) {
  boost::json::object json;
  for (std::size_t i = 0; i < kQuotaKinds; ++i) {
    auto kind = static_cast<QuotaKind>(i);
    if (amounts[kind] != UINT64_MAX) json[to_string(kind)] = amounts[kind];
  }
  return json;
}

wire::Refusal answer_to(const Refusal& why) {
  return {static_cast<unsigned>(http_status(why.code)), std::string(to_string(why.code)),
          why.message, why.again};
}

}  // namespace

Desk::Desk(NodeParts& parts, EngineLoop& engine, runs::ModulePlans& plans)
    : parts_(parts), loop_(engine.loop()), runs_(parts, engine, plans) {}

std::expected<wire::Asked, wire::Refusal> Desk::admit(BytesView request, std::string_view peer) {
  auto from = IpAddress::parse(address_of(peer));
  if (!from) return std::unexpected(wire::Refusal{400, "invalid", "it comes from no address"});
  auto admitted = parts_.admission.admit(
      {.request = request, .peer = *from, .now = unix_now(), .steady = steady_now()});
  if (!admitted) {
    wire::Refusal answer = answer_to(admitted.error());
    if (admitted.error().code == RefusalCode::kFailed) {
      if (parts_.own_failure.due()) log::error("node", answer.message);
      answer.message = "this node cannot remember requests now, and so takes none: see its log";
    }
    return std::unexpected(std::move(answer));
  }
  return wire::Asked{.request = std::move(admitted->request),
                     .signer = admitted->signer,
                     .group = std::move(admitted->group),
                     .name = admitted->hash,
                     .bytes = Bytes(request.begin(), request.end())};
}

std::expected<void, wire::Refusal> Desk::stands(const wire::Asked& asked) {
  auto stands = parts_.admission.stands(asked.request, asked.signer, asked.group, unix_now());
  if (stands) return {};
  return std::unexpected(answer_to(stands.error()));
}

std::size_t Desk::follows_max(const wire::Asked& asked) const {
  switch (asked.request.action) {
    case Action::kRun:
    case Action::kCall: return kArgumentsMax;
    case Action::kStore: return library::kListBytesMax + wire::kPeersBytesMax;
    default: return 0;
  }
}

Result<void> Desk::spend(const std::string& group, QuotaKind kind, std::size_t bytes) {
  Amounts amounts;
  amounts[kind] = bytes;
  auto charge = parts_.ledger.take(group, amounts, unix_now());
  if (!charge) return failure(Errc::kLimit, charge.error().message());
  charge->settle(amounts);
  return {};
}

void Desk::count(const std::string& group, QuotaKind kind, std::size_t bytes) {
  auto charge = parts_.ledger.take(group, {}, unix_now());
  if (!charge) return;
  Amounts moved;
  moved[kind] = bytes;
  charge->settle(moved);
}

wire::FollowsRoom::Part Desk::follows_room(const wire::Asked& asked) {
  return parts_.follows.part_of(asked.group);
}

void Desk::cut_off(const wire::Asked& asked, wire::Cut why, std::size_t followed) {
  std::size_t bytes_in = asked.bytes.size() + followed;
  count(asked.group, QuotaKind::kNetworkIn, bytes_in);
  tell_refused(parts_, asked, refusal_of(why), bytes_in);
}

Result<Bytes> Desk::issue(const wire::Asked& asked, Tickets::Way way) {
  return parts_.tickets.issue({.module = asked.request.module,
                               .group = asked.group,
                               .way = way,
                               .requester = asked.signer,
                               .request = asked.name},
                              unix_now());
}

wire::Refusal Desk::told(const Error& why) {
  wire::Refusal answer{wire::status_of(why.code()), std::string(to_string(why.code())),
                       why.message()};
  bool full = why.code() == Errc::kFull;
  bool says_where = why.message().contains(parts_.policy.get()->settings.state.string());
  bool own = answer.status == wire::status_of(Errc::kInternal) || (says_where && !full);
  if (full && parts_.disk_full.due()) {
    log::warn("node", "there is no room for what is to be stored", {{"why", why.message()}});
  }
  if (own && parts_.own_failure.due()) {
    log::error("node", "a request failed", {{"why", why.message()}});
  }
  if (own) {
    answer.message = "the node could not do it: its log says why";
  } else if (says_where) {
    answer.message = "the node's disk is full";
  }
  return answer;
}

Task<Bytes> Desk::answer(wire::Asked asked, wire::Follows follows) {
  std::size_t bytes_in = asked.bytes.size() + follows.bytes.size();
  CO_TRY(auto room, parts_.events.reserve());
  if (auto spent = spend(asked.group, QuotaKind::kNetworkIn, bytes_in); !spent) {
    tell_refused(parts_, asked, events::Refusal::kQuota, 0);
    co_return std::unexpected(std::move(spent).error());
  }
  // As the ledger has it: once, however often the group stores it.
  bool stores = asked.request.action == Action::kStore && !owns(asked.request.module, asked.group);
  auto answer = co_await act(asked, std::move(follows.bytes));
  if (!answer) {
    tell_refused(parts_, asked, refusal_of(answer.error().code()), bytes_in);
    co_return std::unexpected(std::move(answer).error());
  }
  if (asked.request.action != Action::kFetch) {
    count(asked.group, QuotaKind::kNetworkOut, answer->size());
  }
  events::Event event{.time = unix_now(),
                      .action = asked.request.action,
                      .requester = asked.signer,
                      .group = event_group(asked.group),
                      .request = asked.name,
                      .module = asked.request.module};
  event.usage.bytes_in = bytes_in;
  event.usage.bytes_out = answer->size();
  if (stores) {
    if (auto list = parts_.modules.list_of(asked.request.module)) {
      event.stored_bytes = library::stored_bytes(*list);
    }
  }
  if (auto told = parts_.events.append(std::move(event), std::move(room)); !told) {
    log::error("node", "an event is lost", {{"why", told.error().message()}});
  }
  co_return answer;
}

bool Desk::owns(const Hash& module, const std::string& group) const {
  auto info = parts_.modules.info(module);
  return info &&
         std::ranges::find(info->owners, group, &library::ModuleOwner::group) != info->owners.end();
}

Task<Bytes> Desk::act(wire::Asked& asked, Bytes follows) {
  switch (asked.request.action) {
    case Action::kDescribe: co_return describe(asked);
    case Action::kFetch: co_return co_await fetch(asked);
    case Action::kStore: co_return co_await store(asked, std::move(follows));
    case Action::kCancel: co_return co_await cancel(asked);
    default: co_return failure(Errc::kInternal, "an action that has no answer of its own");
  }
}

Bytes Desk::describe(const wire::Asked& asked) const {
  auto policy = parts_.policy.get();
  boost::json::object json{{"node", parts_.key.public_key().text()},
                           {"name", policy->settings.name},
                           {"version", kWeftVersion}};
  const GroupSettings& group = policy->settings.of_group(asked.group);
  // A stranger that may not ask learns who this is, and no more.
  if (!group.may.has(Right::kDescribe)) return to_bytes(boost::json::serialize(json));
  json["group"] = asked.group;
  json["may"] = group.may.text();
  json["left"] = amounts_json(parts_.ledger.left(asked.group, unix_now()));
  boost::system::error_code bad;
  auto offered = boost::json::parse(parts_.catalogue.json(), bad);
  if (!bad && offered.is_object()) {
    for (const auto& [key, value] : offered.get_object()) json[key] = value;
  }
  return to_bytes(boost::json::serialize(json));
}

Task<Bytes> Desk::fetch(const wire::Asked& asked) {
  const Hash& module = asked.request.module;
  if (auto may = may_use(parts_, module, asked.group);
      !may && !parts_.gatherings.may_fetch(module, asked.signer)) {
    co_return std::unexpected(std::move(may).error());
  }
  CO_TRY(auto list, parts_.modules.list_of(module));
  CO_TRY(Bytes answer, issue(asked, Tickets::Way::kRead));
  Bytes encoded = list.encode();
  if (auto spent = spend(asked.group, QuotaKind::kNetworkOut, answer.size() + encoded.size());
      !spent) {
    parts_.tickets.take_back(answer);
    co_return std::unexpected(std::move(spent).error());
  }
  answer.insert(answer.end(), encoded.begin(), encoded.end());
  co_return answer;
}

Task<Bytes> Desk::store(const wire::Asked& asked, Bytes follows) {
  const Hash& module = asked.request.module;
  BytesView rest(follows);
  std::size_t list_bytes = library::ChunkList::encoded_bytes(rest);
  CO_TRY(auto list, library::ChunkList::decode(rest.first(list_bytes), module));
  CO_TRY(auto peers, wire::read_peers(rest.subspan(list_bytes)));
  // First: without one, nothing may stay taken of the storage.
  CO_TRY(Bytes answer, issue(asked, Tickets::Way::kWrite));
  auto there = co_await blocking(parts_.pool, loop_, [&parts = parts_, list, group = asked.group] {
    auto have = [&]() -> Result<library::ChunkBits> {
      TRY_VOID(parts.modules.begin(list, group));
      return parts.modules.have(list.name());
    };
    return have();
  });
  if (!there) {
    parts_.tickets.take_back(answer);
    co_return std::unexpected(std::move(there).error());
  }
  auto took = [&tickets = parts_.tickets, number = answer](std::size_t bytes) {
    tickets.count(number, {.bytes_in = bytes});
  };
  BytesView bits = there->view();
  answer.insert(answer.end(), bits.begin(), bits.end());
  parts_.gatherings.begin(loop_, list, *std::move(there),
                          {.group = asked.group, .took = std::move(took)}, std::move(peers));
  co_return answer;
}

Task<Bytes> Desk::cancel(const wire::Asked& asked) {
  auto place = parts_.places.find(asked.request.run);
  if (!place) co_return failure(Errc::kNotFound, "no such run");
  CO_TRY_VOID(co_await across(*place->loop, loop_, [place, run = asked.request.run] {
    return place->desk->runs().cancel(run, "cancelled by who asked for it");
  }));
  co_return Bytes();
}

// On a loop where the group may compute.
Task<std::unique_ptr<wire::OutputReader>> Desk::execute(wire::Asked asked, wire::Follows follows,
                                                        std::function<void()> ready) {
  Hash run = asked.name;
  auto cores = parts_.policy.get()->settings.of_group(asked.group).quota.cores;
  RunSeats::Seat seat = parts_.seats.of(asked.group, cores, loop_);
  if (seat.loop == &loop_) {
    CO_TRY_VOID(co_await runs_.begin(std::move(asked), std::move(follows)));
    co_return near_reader(loop_, runs_.runs(), {.run = run}, std::move(ready));
  }
  auto begin = [seat, asked = std::move(asked), follows = std::move(follows)]() mutable {
    return seat.desk->begin(std::move(asked), std::move(follows));
  };
  CO_TRY_VOID(co_await task_across(*seat.loop, loop_, std::move(begin)));
  co_return co_await far_reader(loop_, *seat.loop, seat.desk->runs(), {.run = run},
                                std::move(ready));
}

Task<std::unique_ptr<wire::OutputReader>> Desk::begin(wire::Asked asked, wire::Follows follows,
                                                      std::function<void()> ready) {
  if (asked.request.action != Action::kResume) {
    co_return co_await execute(std::move(asked), std::move(follows), std::move(ready));
  }
  co_return co_await resume(std::move(asked), std::move(ready));
}

// What was sent before is paid for as what is sent first: the run paid for that once.
Task<std::unique_ptr<wire::OutputReader>> Desk::resume(wire::Asked asked,
                                                       std::function<void()> ready) {
  std::size_t bytes_in = asked.bytes.size();
  CO_TRY(auto room, parts_.events.reserve());
  if (auto spent = spend(asked.group, QuotaKind::kNetworkIn, bytes_in); !spent) {
    tell_refused(parts_, asked, events::Refusal::kQuota, 0);
    co_return std::unexpected(std::move(spent).error());
  }
  auto place = parts_.places.find(asked.request.run);
  if (!place) {
    tell_refused(parts_, asked, events::Refusal::kNotFound, bytes_in);
    co_return failure(Errc::kNotFound, "no such run");
  }
  std::uint64_t again = 0;
  // On the run's loop, while this waits.
  auto pay = [this, &group = asked.group, &again](std::uint64_t bytes) {
    auto spent = spend(group, QuotaKind::kNetworkOut, bytes);
    if (spent) again = bytes;
    return spent;
  };
  ReadFrom what{.run = asked.request.run, .frame = asked.request.from, .pay_again = pay};
  auto reader = place->loop == &loop_
                    ? near_reader(loop_, runs_.runs(), what, std::move(ready))
                    : co_await far_reader(loop_, *place->loop, place->desk->runs(), std::move(what),
                                          std::move(ready));
  if (!reader) {
    tell_refused(parts_, asked, refusal_of(reader.error().code()), bytes_in);
    co_return std::unexpected(std::move(reader).error());
  }
  events::Event event{.time = unix_now(),
                      .action = Action::kResume,
                      .requester = asked.signer,
                      .group = event_group(asked.group),
                      .request = asked.name};
  event.usage.bytes_in = bytes_in;
  event.usage.bytes_out = again;
  CO_TRY_VOID(parts_.events.append(std::move(event), std::move(room)));
  co_return std::move(*reader);
}

Task<Bytes> Desk::read_chunk(Bytes ticket, std::uint32_t index) {
  CO_TRY(auto found, parts_.tickets.look(ticket, Tickets::Way::kRead, unix_now()));
  // A whole one is to be there; the last of a module is smaller.
  Amounts amounts;
  amounts[QuotaKind::kNetworkOut] = library::kChunkBytes;
  auto charge = parts_.ledger.take(found.group, amounts, unix_now());
  if (!charge) co_return failure(Errc::kLimit, charge.error().message());
  auto chunk = co_await blocking(parts_.pool, loop_, [&parts = parts_, found, index] {
    return parts.modules.read(found.module, index);
  });
  amounts[QuotaKind::kNetworkOut] = chunk ? chunk->size() : 0;
  charge->settle(amounts);
  if (chunk) parts_.tickets.count(ticket, {.bytes_out = chunk->size()});
  co_return chunk;
}

Task<void> Desk::write_chunk(Bytes ticket, std::uint32_t index, Bytes chunk) {
  CO_TRY(auto found, parts_.tickets.look(ticket, Tickets::Way::kWrite, unix_now()));
  CO_TRY_VOID(spend(found.group, QuotaKind::kNetworkIn, chunk.size()));
  parts_.tickets.count(ticket, {.bytes_in = chunk.size()});
  auto put = co_await blocking(parts_.pool, loop_,
                               [&parts = parts_, found, index, chunk = std::move(chunk)] {
                                 return parts.modules.put(found.module, index, chunk);
                               });
  if (!put) co_return std::unexpected(std::move(put).error());
  co_return Result<void>();
}

Task<Bytes> Desk::have_chunks(Bytes ticket, std::uint32_t more_than) {
  auto found = parts_.tickets.look(ticket, Tickets::Way::kRead, unix_now());
  if (!found) found = parts_.tickets.look(ticket, Tickets::Way::kWrite, unix_now());
  if (!found) co_return std::unexpected(std::move(found).error());
  bool waits = have_waiters_ < kHaveWaitersMax;
  struct Waiter {
    std::size_t& count;
    explicit Waiter(std::size_t& of) : count(of) { ++count; }
    ~Waiter() { --count; }
  } waiter(have_waiters_);
  for (Deadline end = Deadline::after(kHaveWaitMax);;) {
    CO_TRY(auto there,
           co_await blocking(parts_.pool, loop_, [&parts = parts_, name = found->module] {
             return parts.modules.have(name);
           }));
    if (there.there() > more_than || there.all() || !waits || end.passed()) {
      BytesView bits = there.view();
      CO_TRY_VOID(spend(found->group, QuotaKind::kNetworkOut, bits.size()));
      parts_.tickets.count(ticket, {.bytes_out = bits.size()});
      co_return Bytes(bits.begin(), bits.end());
    }
    CO_TRY_VOID(co_await remote::pause(loop_, Deadline::after(kHaveTurn)));
  }
}

}  // namespace weft::node::daemon
