#include "capabilities/messaging/drivers/kafka/replies.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "capabilities/messaging/drivers/kafka/group.h"
#include "capabilities/messaging/drivers/kafka/site.h"
#include "io/loop.h"
#include "remote/kafka/errors.h"

namespace weft::messaging::kafka {
namespace {

using remote::kafka::Event;
using remote::kafka::Record;

std::string random_name() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}", random(), random(), random());
}

}  // namespace

struct Replies::Asked {
  Asked(Replies& replies, std::uint64_t number, std::size_t how_many)
      : wanted(how_many),
        timer(replies.site_.loop(), [&replies, number] { replies.end(number, {}); }) {}

  std::size_t wanted;
  Record record = {};  // Until it is sent.
  bool is_sent = false;
  std::vector<Message> came = {};
  Promise<std::vector<Message>> promise = {};
  Timer timer;
};

Replies::Replies(Site& site)
    : site_(site),
      self_(std::make_shared<Replies*>(this)),
      address_(fmt::format("{}{}.", kReplies, random_name())) {}

Replies::~Replies() {
  *self_ = nullptr;
  watch_.reset();
}

Answer<std::vector<Message>> Replies::ask(Request request, Message message, std::size_t replies) {
  if (asked_.size() >= kAskedMax) {
    return failure(Errc::kLimit, "too many requests wait for replies");
  }
  std::uint64_t number = ++last_asked_;
  message.reply_to = fmt::format("{}{}", address_, number);
  auto asked = std::make_unique<Asked>(*this, number, replies);
  TRY(asked->record, to_wire(site_.place()->topics, message));
  asked->timer.arm(request.deadline);
  Answer<std::vector<Message>> answer = asked->promise.answer();
  asked_.emplace(number, std::move(asked));
  if (ready_) {
    send(number);
  } else if (!opening_) {
    open();
  }
  return answer;
}

void Replies::open() {
  opening_ = true;
  auto client = site_.common().open_consumer(site_.group_id("_reply"),
                                             {{"enable.partition.eof", "true"},
                                              {"auto.offset.reset", "latest"},
                                              {"allow.auto.create.topics", "true"}});
  auto count = std::make_shared<Result<std::int32_t>>(0);  // Shared by the two functions below.
  if (!client) {
    *count = std::unexpected(std::move(client).error());
    return site_.loop().defer([self = self_, count] {
      if (*self != nullptr) (*self)->found(std::move(*count));
    });
  }
  client_ = *std::move(client);
  Result<void> accepted = site_.common().pool.submit(
      site_.loop(),
      [client = client_, topic = site_.place()->topics.replies(), count] {
        *count = partitions_of(client.get(), topic, Deadline::after(kAskTime));
      },
      [self = self_, count] {
        if (*self != nullptr) (*self)->found(std::move(*count));
      });
  if (accepted) return;
  opening_ = false;
  fail_all(accepted.error());
}

void Replies::found(Result<std::int32_t> partitions) {
  std::string topic = site_.place()->topics.replies();
  if (partitions && *partitions == 0) {
    partitions = std::unexpected(
        remote::kafka::error_of(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "reading " + topic));
  }
  if (!partitions) {
    opening_ = false;
    client_.reset();
    return fail_all(partitions.error());
  }
  remote::kafka::PartitionList list(rd_kafka_topic_partition_list_new(*partitions));
  for (std::int32_t i = 0; i < *partitions; ++i) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), i)->offset = RD_KAFKA_OFFSET_END;
    at_end_[i] = false;
  }
  rd_kafka_assign(client_.get(), list.get());
  watch_ = std::make_unique<remote::kafka::Watch>(
      site_.loop(), rd_kafka_queue_get_consumer(client_.get()), [this] { poll(); });
}

void Replies::poll() {
  while (rd_kafka_event_t* found = watch_->poll()) {
    Event event(found);
    if (rd_kafka_event_type(found) == RD_KAFKA_EVENT_ERROR) {
      if (rd_kafka_event_error(found) != RD_KAFKA_RESP_ERR__PARTITION_EOF) continue;
      rd_kafka_topic_partition_t* where = rd_kafka_event_topic_partition(found);
      if (where == nullptr) continue;
      at_end(where->partition);
      rd_kafka_topic_partition_destroy(where);
    } else if (rd_kafka_event_type(found) == RD_KAFKA_EVENT_FETCH) {
      while (const rd_kafka_message_t* message = rd_kafka_event_message_next(found)) {
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) at_end(message->partition);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) came(*message);
      }
    }
  }
}

// From here on nothing of it is missed.
void Replies::at_end(std::int32_t partition) {
  if (ready_) return;
  at_end_[partition] = true;
  ready_ = std::ranges::all_of(at_end_, [](const auto& each) { return each.second; });
  if (!ready_) return;
  std::vector<std::uint64_t> waiting;
  for (const auto& [number, asked] : asked_) {
    if (!asked->is_sent) waiting.push_back(number);
  }
  for (std::uint64_t number : waiting) send(number);
}

void Replies::send(std::uint64_t number) {
  auto found = asked_.find(number);
  if (found == asked_.end()) return;
  found->second->is_sent = true;
  site_.send(std::move(found->second->record), found->second->timer.deadline(),
             [self = self_, number](Result<void> sent) mutable {
               if (*self != nullptr && !sent) (*self)->end(number, std::move(sent));
             });
}

void Replies::came(const rd_kafka_message_t& came) {
  std::optional<Message> message = from_wire(site_.place()->topics, came);
  if (!message || !message->topic.starts_with(address_)) return;
  std::string_view text = std::string_view(message->topic).substr(address_.size());
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  auto found = asked_.find(number);
  if (found == asked_.end() || found->second->came.size() >= found->second->wanted) return;
  found->second->came.push_back(*std::move(message));
  if (found->second->came.size() < found->second->wanted) return;
  // Who asked may go on at once: not inside the client.
  site_.loop().defer([self = self_, number] {
    if (*self != nullptr) (*self)->end(number, {});
  });
}

void Replies::end(std::uint64_t number, Result<void> how) {
  auto taken = asked_.extract(number);
  if (taken.empty()) return;
  // It may be its own timer that fires.
  Asked& asked = *taken.mapped();
  asked.timer.disarm();
  if (!asked.came.empty()) return std::move(asked.promise).fulfil(std::move(asked.came));
  if (!how) return std::move(asked.promise).fulfil(std::unexpected(std::move(how).error()));
  std::move(asked.promise).fulfil(failure(Errc::kTimeout, "no reply came in time"));
}

void Replies::fail_all(const Error& error) {
  std::vector<std::uint64_t> waiting;
  for (const auto& [number, asked] : asked_) waiting.push_back(number);
  for (std::uint64_t number : waiting) end(number, std::unexpected(error));
}

}  // namespace weft::messaging::kafka
