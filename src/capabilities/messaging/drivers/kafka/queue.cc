#include "capabilities/messaging/drivers/kafka/queue.h"

#include <fmt/format.h>

#include <cstring>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "capabilities/messaging/drivers/kafka/letters.h"
#include "capabilities/messaging/drivers/kafka/topics.h"
#include "io/loop.h"
#include "remote/kafka/errors.h"

namespace weft::messaging::kafka {
namespace {

using remote::kafka::error_of;
using remote::kafka::Event;
using remote::kafka::PartitionList;
using std::chrono::milliseconds;

// When something failed.
constexpr milliseconds kPause{500};

}  // namespace

KafkaQueue::KafkaQueue(std::shared_ptr<Site> site, Wanted wanted, Receiver& receiver)
    : self_(std::make_shared<KafkaQueue*>(this)),
      site_(std::move(site)),
      group_(wanted.group),
      deliveries_(site_->loop(), std::move(wanted), receiver),
      again_(site_->loop(), [this] { assigned_ == nullptr ? begin() : ask_positions(); }),
      write_(site_->loop(),
             [this] {
               write();
               release_if_over();
             }),
      full_(site_->loop(), [this] { full(); }),
      patience_(site_->loop(), [this] {
        gave_up_ = true;
        release_if_over();
      }) {
  bool now = site_->place()->turns.claim(
      group_, this, site_->loop(),
      [self = self_, place = site_->place(), group = group_](std::vector<Left> left) {
        bool here = *self != nullptr && !(*self)->released_;
        if (here && !(*self)->stopped_) return (*self)->given(std::move(left));
        // They stay dead letters, and may be asked for again.
        for (const Left& each : here ? left : place->turns.pass(group, std::move(left))) {
          place->replays.end(group, each.letter);
        }
        if (here) (*self)->take_turn();
      });
  if (now) take_turn();
}

KafkaQueue::~KafkaQueue() {
  *self_ = nullptr;
  if (released_) return;
  // What is done is not brought again for want of a moment: also what was done since the last
  // word, which may be on its way. This one goes behind it.
  writing_.clear();
  write();
  release();
}

void KafkaQueue::take_turn() {
  if (client_ != nullptr || stopped_) return release_if_over();
  const Topics& topics = site_->place()->topics;
  // Not cooperative-sticky: librdkafka before 2.3 ends the process where such a consumer goes
  // before its group has shared out.
  auto client = site_->common().open_consumer(site_->group_id(group_),
                                              {{"partition.assignment.strategy", "roundrobin"},
                                               {"auto.offset.reset", "earliest"},
                                               {"allow.auto.create.topics", "true"},
                                               {"topic.blacklist", topics.ignored()}});
  if (!client) return trouble(client.error());
  client_ = *std::move(client);
  watch_ = std::make_unique<remote::kafka::Watch>(
      site_->loop(), rd_kafka_queue_get_consumer(client_.get()), [this] { pump(); });
  beginning_ = site_->place()->beginnings.begins();
  begin();
}

// It has its turn, or has it already: and the dead letters that are to be done once more.
void KafkaQueue::given(std::vector<Left> left) {
  for (Left& each : left) {
    letters_[each.held.id] = each.letter;
    deliveries_.add(std::move(each.held));
  }
  deliveries_.bring();
  take_turn();
}

// The group is there from now on.
void KafkaQueue::begin() {
  auto result = std::make_shared<Result<void>>();  // Shared by the two functions below.
  Result<void> accepted = site_->common().pool.submit(
      site_->loop(),
      [client = client_, place = site_->place(), pattern = deliveries_.wanted().pattern, result] {
        *result = begin_group(client.get(), place->topics, pattern, Deadline::after(kAskTime));
      },
      [self = self_, result] {
        if (*self != nullptr && !(*self)->stopped_) (*self)->begun(std::move(*result));
      });
  if (!accepted) {
    trouble(accepted.error());
    again_.arm(Deadline::after(kPause));
  }
}

void KafkaQueue::begun(Result<void> begun) {
  if (begun) {
    auto name = site_->place()->topics.subscription(deliveries_.wanted().pattern);
    PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), name->c_str(), RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(client_.get(), list.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      begun = std::unexpected(error_of(error, "subscribing to " + *name));
    }
  }
  // Publishers wait no longer for one that fails.
  site_->place()->beginnings.ended(beginning_);
  if (begun) return pump();
  trouble(begun.error());
  bool may_help = begun.error().code() != Errc::kInvalid;
  if (may_help) again_.arm(Deadline::after(kPause));
}

void KafkaQueue::trouble(const Error& error) {
  if (std::exchange(troubled_, true)) return;
  log::warn("messaging", "a trigger gets no messages now",
            {{"group", group_}, {"why", error.message()}});
}

bool KafkaQueue::may_take() const {
  if (released_) return false;
  if (stopped_) return true;
  // What was on its way when it stopped to fetch is little.
  return paused_ ? deliveries_.size() < kOpenMax + kReadAhead : deliveries_.room() > 0;
}

void KafkaQueue::pump() {
  while (may_take()) {
    Event event(watch_->poll());
    if (event == nullptr) break;
    handle(event.get());
    event.reset();
    release_if_over();
  }
  if (released_) return;
  deliveries_.bring();
  if (!stopped_ && !paused_ && deliveries_.room() == 0 && !full_.armed()) {
    full_.arm(Deadline::after(kFullFor));
  }
}

void KafkaQueue::handle(rd_kafka_event_t* event) {
  const auto& health = site_->common().settings.server.health;
  switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_FETCH:
      while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) took(*message);
      }
      break;
    case RD_KAFKA_EVENT_REBALANCE: rebalance(event); break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT: written(rd_kafka_event_error(event)); break;
    case RD_KAFKA_EVENT_ERROR: {
      rd_kafka_resp_err_t code = rd_kafka_event_error(event);
      Errc kind = remote::kafka::code_of(code);
      if (kind == Errc::kUnavailable && health) health->down();
      // It may come: the pattern is of one topic.
      if (kind == Errc::kNotFound || kind == Errc::kTimeout) break;
      if (!stopped_) trouble(error_of(code, "reading"));
      break;
    }
    default: break;
  }
}

void KafkaQueue::rebalance(rd_kafka_event_t* event) {
  const rd_kafka_topic_partition_list_t* partitions = rd_kafka_event_topic_partition_list(event);
  if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    assigned_.reset(rd_kafka_topic_partition_list_copy(partitions));
    return ask_positions();
  }
  assigned_.reset();
  // While it still has them.
  if (!rd_kafka_assignment_lost(client_.get())) write();
  lose(*partitions);
  remote::kafka::unassign(client_.get(), partitions);
}

void KafkaQueue::ask_positions() {
  auto result = std::make_shared<Result<std::vector<Position>>>();  // Shared, as in `begin`.
  const auto* asked = assigned_.get();
  Result<void> accepted = site_->common().pool.submit(
      site_->loop(),
      [client = client_, list = PartitionList(rd_kafka_topic_partition_list_copy(assigned_.get())),
       result] { *result = positions(client.get(), list, Deadline::after(kAskTime)); },
      [self = self_, asked, result] {
        // It may have other partitions by now, or none.
        if (*self == nullptr || (*self)->released_ || (*self)->assigned_.get() != asked) return;
        (*self)->assign(std::move(*result));
      });
  if (!accepted) assign(std::unexpected(accepted.error()));
}

void KafkaQueue::assign(Result<std::vector<Position>> positions) {
  if (!positions) {
    trouble(positions.error());
    return again_.arm(Deadline::after(kPause));
  }
  PartitionList list = std::move(assigned_);
  for (const Position& each : *positions) {
    rd_kafka_topic_partition_list_set_offset(list.get(), each.topic.c_str(), each.partition,
                                             each.offset);
    auto part = std::make_shared<Part>(each.topic, each.partition, Window(each.offset, each.notes));
    parts_[{each.topic, each.partition}] = part;
    // From now on the group is in it, whatever happens before its first message is done.
    if (!each.written) touch(part);
  }
  if (std::string_view(rd_kafka_rebalance_protocol(client_.get())) == "COOPERATIVE") {
    rd_kafka_error_t* failed = rd_kafka_incremental_assign(client_.get(), list.get());
    if (failed != nullptr) {
      trouble(error_of(rd_kafka_error_code(failed), "taking partitions"));
      rd_kafka_error_destroy(failed);
    }
  } else {
    rd_kafka_assign(client_.get(), list.get());
  }
  if (paused_ || stopped_) pause_all(true);
  troubled_ = false;
  if (const auto& health = site_->common().settings.server.health) health->up();
}

// What is held of them and not out is brought by those who have them now.
void KafkaQueue::lose(const rd_kafka_topic_partition_list_t& partitions) {
  for (int i = 0; i < partitions.cnt; ++i) {
    auto found = parts_.extract({partitions.elems[i].topic, partitions.elems[i].partition});
    if (!found.empty()) found.mapped()->lost = true;
  }
  std::erase_if(receipts_, [&](const auto& each) {
    return each.second.part->lost && deliveries_.forget(each.first);
  });
}

void KafkaQueue::took(const rd_kafka_message_t& came) {
  if (stopped_) return;
  auto found = parts_.find({rd_kafka_topic_name(came.rkt), came.partition});
  if (found == parts_.end()) return;
  const PartPtr& part = found->second;
  std::optional<unsigned> attempts = part->window.came(came.offset);
  if (!attempts) return touch(part);
  std::optional<Message> message = from_wire(site_->place()->topics, came);
  if (!message || !matches(deliveries_.wanted().pattern, message->topic)) {
    if (!message) {
      log::warn("messaging", "a message is dropped: it is too long, or its topic is none here",
                {{"group", group_}, {"topic", part->topic}, {"offset", came.offset}});
    }
    part->window.done(came.offset);
    return touch(part);
  }
  Id id = site_->place()->turns.next_id();
  receipts_.emplace(id, Receipt{part, came.offset});
  deliveries_.add({id, *std::move(message), *attempts});
}

void KafkaQueue::settle(std::uint64_t id, Verdict verdict) {
  using Kind = Verdict::Kind;
  if (letters_.contains(id)) return settle_letter(id, verdict);
  const Receipt& receipt = receipts_.at(id);
  unsigned attempts = deliveries_.delivered(id).attempts;
  if (verdict.kind == Kind::kDead) return bury(id, std::move(verdict.reason));
  if (verdict.kind == Kind::kDone || receipt.part->lost) {
    done(id);
  } else {
    if (verdict.kind == Kind::kFailed) {
      receipt.part->window.failed(receipt.offset, attempts + 1);
      touch(receipt.part);
    }
    deliveries_.again(id, verdict.kind, verdict.pause);
  }
  go_on();
}

void KafkaQueue::done(Id id) {
  deliveries_.done(id);
  Receipt receipt = receipts_.extract(id).mapped();
  receipt.part->window.done(receipt.offset);
  touch(receipt.part);
}

// It is out until it is among the dead: nothing of it may be lost in between.
void KafkaQueue::bury(Id id, std::string reason) {
  ++burying_;
  const auto& held = deliveries_.delivered(id);
  DeadLetter letter{group_, std::move(reason), held.message, held.attempts + 1};
  auto buried = [self = self_, id](Result<void> kept) {
    if (*self == nullptr) return;
    KafkaQueue& queue = **self;
    --queue.burying_;
    if (kept) {
      queue.done(id);
    } else {
      log::warn("messaging", kept.error().message(), {{"group", queue.group_}});
      queue.deliveries_.again(id, Verdict::Kind::kAgain, kPause);
    }
    queue.go_on();
  };
  site_->bury(letter, Deadline::after(kWriteTime), std::move(buried));
}

// One that fails for good is the dead letter that it was.
void KafkaQueue::settle_letter(Id id, const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::kDone: unbury(id); break;
    case Verdict::Kind::kDead:
      deliveries_.done(id);
      site_->place()->replays.end(group_, letters_.extract(id).mapped());
      break;
    default: deliveries_.again(id, verdict.kind, verdict.pause);
  }
  go_on();
}

// It is a dead letter until that is written, and is brought by nobody else before.
void KafkaQueue::unbury(Id id) {
  ++burying_;
  deliveries_.done(id);
  std::uint64_t number = letters_.extract(id).mapped();
  auto unburied = [self = self_, group = group_,
                   replaying =
                       Replaying(site_->place(), group_, number)](Result<void> kept) mutable {
    replaying.end();
    if (!kept) {
      log::warn("messaging", "a message was handled and may stay a dead letter",
                {{"group", group}, {"why", kept.error().message()}});
    }
    if (*self == nullptr) return;
    --(*self)->burying_;
    (*self)->go_on();
  };
  site_->unbury(group_, number, Deadline::after(kWriteTime), std::move(unburied));
}

void KafkaQueue::touch(const PartPtr& part) {
  if (part->lost) return;
  part->unwritten = true;
  if (writing_.empty() && !write_.armed()) write_.arm(Deadline::after(kWriteEvery));
}

// One at a time: the last word has to be the last.
void KafkaQueue::write() {
  if (!writing_.empty() || client_ == nullptr) return;
  write_.disarm();
  PartitionList list(rd_kafka_topic_partition_list_new(8));
  for (const auto& [name, part] : parts_) {
    if (!std::exchange(part->unwritten, false)) continue;
    auto* one = rd_kafka_topic_partition_list_add(list.get(), part->topic.c_str(), part->number);
    one->offset = part->window.position();
    std::string notes = part->window.notes();
    if (!notes.empty()) {
      one->metadata = rd_kafka_mem_malloc(nullptr, notes.size());
      std::memcpy(one->metadata, notes.data(), notes.size());
      one->metadata_size = notes.size();
    }
    writing_.push_back(part);
  }
  if (writing_.empty()) return;
  rd_kafka_resp_err_t error =
      rd_kafka_commit_queue(client_.get(), list.get(), watch_->queue(), nullptr, nullptr);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) written(error);
}

void KafkaQueue::written(rd_kafka_resp_err_t error) {
  bool failed = error != RD_KAFKA_RESP_ERR_NO_ERROR;
  bool more = false;
  for (const PartPtr& part : std::exchange(writing_, {})) part->unwritten |= failed;
  for (const auto& [name, part] : parts_) more |= part->unwritten;
  if (failed && !stopped_) {
    log::debug("messaging", "where a group stands could not be written now",
               {{"group", group_}, {"why", rd_kafka_err2name(error)}});
  }
  if (!failed) {
    troubled_ = false;
    if (const auto& health = site_->common().settings.server.health) health->up();
  }
  if (more) write_.arm(Deadline::after(failed ? kPause : kWriteEvery));
}

// A client that is not polled keeps its group from sharing out anew.
void KafkaQueue::full() {
  if (stopped_ || paused_ || deliveries_.room() > 0) return;
  pause_all(true);
  paused_ = true;
  pump();
}

void KafkaQueue::pause_all(bool on) {
  PartitionList list(rd_kafka_topic_partition_list_new(8));
  for (const auto& [name, part] : parts_) {
    rd_kafka_topic_partition_list_add(list.get(), part->topic.c_str(), part->number);
  }
  if (on) {
    rd_kafka_pause_partitions(client_.get(), list.get());
  } else {
    rd_kafka_resume_partitions(client_.get(), list.get());
  }
}

void KafkaQueue::go_on() {
  if (paused_ && !stopped_ && deliveries_.room() >= kReadAhead / 2) {
    paused_ = false;
    pause_all(false);
  }
  if (watch_ != nullptr) pump();
  release_if_over();
}

void KafkaQueue::stop() {
  if (std::exchange(stopped_, true)) return;
  again_.disarm();
  full_.disarm();
  deliveries_.stop();
  if (client_ != nullptr && !parts_.empty()) pause_all(true);
  if (watch_ != nullptr) pump();
  release_if_over();
}

void KafkaQueue::release_if_over() {
  if (!stopped_ || released_ || deliveries_.out() > 0 || burying_ > 0) return;
  if (!gave_up_) {
    if (!patience_.armed()) patience_.arm(Deadline::after(kWriteTime));
    write();
    if (!writing_.empty() || write_.armed()) return;
  }
  release();
}

// What is not done Kafka brings to the next consumer of the group.
void KafkaQueue::release() {
  released_ = true;
  patience_.disarm();
  write_.disarm();
  site_->place()->beginnings.ended(beginning_);
  watch_.reset();
  client_.reset();
  // They stay what they are, with their group's next queue too.
  for (const auto& [id, letter] : letters_) site_->place()->replays.end(group_, letter);
  letters_.clear();
  site_->place()->turns.release(group_, this, {});
}

}  // namespace weft::messaging::kafka
