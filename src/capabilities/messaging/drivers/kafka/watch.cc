#include "capabilities/messaging/drivers/kafka/watch.h"

#include <cstdint>
#include <set>
#include <utility>

#include "base/log.h"
#include "capabilities/messaging/drivers/kafka/group.h"
#include "io/loop.h"
#include "remote/kafka/errors.h"

namespace weft::messaging::kafka {
namespace {

using remote::kafka::Event;
using remote::kafka::Handle;
using remote::kafka::PartitionList;

// When something failed.
constexpr std::chrono::milliseconds kPause{500};

enum class Look : std::uint8_t { kFirst, kAgain };

// The partitions of now, each with where it is shown from: its end, or where it came after the
// first look its beginning.
Result<PartitionList> find(rd_kafka_t* client, const Topics& topics, const std::string& pattern,
                           Look look) {
  Deadline deadline = Deadline::after(kAskTime);
  TRY(PartitionList found, find_partitions(client, topics, pattern, deadline));
  if (look == Look::kFirst) {
    TRY_VOID(to_ends(client, found, deadline));
    return found;
  }
  for (int i = 0; i < found->cnt; ++i) found->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
  return found;
}

// A consumer that is in no group: it is given its partitions here, and writes nothing.
class TopicsWatch final : public Watch {
 public:
  TopicsWatch(std::shared_ptr<Site> site, std::string pattern, std::function<void(Message)> saw,
              Handle client)
      : self_(std::make_shared<TopicsWatch*>(this)),
        site_(std::move(site)),
        pattern_(std::move(pattern)),
        saw_(std::move(saw)),
        client_(std::move(client)),
        look_(site_->loop(), [this] { look(); }),
        events_(site_->loop(), rd_kafka_queue_get_consumer(client_.get()), [this] { pump(); }) {
    look();
  }
  ~TopicsWatch() override { *self_ = nullptr; }

 private:
  void look() {
    auto result = std::make_shared<Result<PartitionList>>();  // Shared by the two functions below.
    Result<void> accepted = site_->common().pool.submit(
        site_->loop(),
        [client = client_, place = site_->place(), pattern = pattern_,
         look = looked_ ? Look::kAgain : Look::kFirst,
         result] { *result = find(client.get(), place->topics, pattern, look); },
        [self = self_, result] {
          if (*self != nullptr) (*self)->found(std::move(*result));
        });
    if (!accepted) found(std::unexpected(std::move(accepted).error()));
  }

  void found(Result<PartitionList> found) {
    if (found) found = assign(*std::move(found));
    if (found) {
      looked_ = true;
      troubled_ = false;
    } else {
      trouble(found.error());
    }
    look_.arm(Deadline::after(found ? site_->common().settings.server.refresh : kPause));
  }

  // Those that it has not.
  Result<PartitionList> assign(PartitionList found) {
    PartitionList fresh(rd_kafka_topic_partition_list_new(8));
    for (int i = 0; i < found->cnt; ++i) {
      const auto& each = found->elems[i];
      if (shown_.contains({each.topic, each.partition})) continue;
      auto* one = rd_kafka_topic_partition_list_add(fresh.get(), each.topic, each.partition);
      one->offset = each.offset;
    }
    if (shown_.size() + static_cast<std::size_t>(fresh->cnt) > kPartitionsMax) {
      return failure(Errc::kLimit, "Kafka: too many topics came and went for who watches");
    }
    if (fresh->cnt == 0) return fresh;
    if (rd_kafka_error_t* failed = rd_kafka_incremental_assign(client_.get(), fresh.get())) {
      Error error = remote::kafka::error_of(rd_kafka_error_code(failed), "taking partitions");
      rd_kafka_error_destroy(failed);
      return std::unexpected(std::move(error));
    }
    for (int i = 0; i < fresh->cnt; ++i) {
      shown_.emplace(fresh->elems[i].topic, fresh->elems[i].partition);
    }
    return fresh;
  }

  void trouble(const Error& error) {
    if (std::exchange(troubled_, true)) return;
    log::warn("messaging", "who watches is shown nothing now", {{"why", error.message()}});
  }

  void pump() {
    // Who is shown something may drop this: what is polled outlives its client by nothing.
    Handle client = client_;
    auto self = self_;
    for (std::size_t i = 0; i < kShownAtOnce; ++i) {
      Event event(events_.poll());
      if (event == nullptr) return;
      switch (rd_kafka_event_type(event.get())) {
        case RD_KAFKA_EVENT_FETCH:
          while (const rd_kafka_message_t* came = rd_kafka_event_message_next(event.get())) {
            if (came->err == RD_KAFKA_RESP_ERR_NO_ERROR) show(*came);
            if (*self == nullptr) return;
          }
          break;
        case RD_KAFKA_EVENT_ERROR: failed(rd_kafka_event_error(event.get())); break;
        default: break;
      }
    }
    site_->loop().post([self] {
      if (*self != nullptr) (*self)->pump();
    });
  }

  void show(const rd_kafka_message_t& came) {
    std::optional<Message> message = from_wire(site_->place()->topics, came);
    if (!message || !matches(pattern_, message->topic)) return;
    auto saw = saw_;  // It may drop this.
    saw(*std::move(message));
  }

  void failed(rd_kafka_resp_err_t code) {
    Errc kind = remote::kafka::code_of(code);
    const auto& health = site_->common().settings.server.health;
    if (kind == Errc::kUnavailable && health) health->down();
    // Of a topic that is removed, and one that is slow to come.
    if (kind == Errc::kNotFound || kind == Errc::kTimeout) return;
    trouble(remote::kafka::error_of(code, "reading"));
  }

  const std::shared_ptr<TopicsWatch*> self_;  // Null once it is gone: answers come later.
  const std::shared_ptr<Site> site_;          // Shared by the loop's brokers of that name.
  const std::string pattern_;
  const std::function<void(Message)> saw_;
  const Handle client_;
  bool looked_ = false;
  bool troubled_ = false;                                 // The last that was heard is a failure.
  std::set<std::pair<std::string, std::int32_t>> shown_;  // kPartitionsMax.
  Timer look_;
  remote::kafka::Watch events_;
};

}  // namespace

Result<std::unique_ptr<Watch>> watch(std::shared_ptr<Site> site, std::string pattern,
                                     std::function<void(Message)> saw) {
  TRY_VOID(site->place()->topics.subscription(pattern));
  TRY(Handle client, site->common().open_consumer(site->group_id("_watch"),
                                                  {{"auto.offset.reset", "earliest"},
                                                   {"allow.auto.create.topics", "false"}}));
  return std::make_unique<TopicsWatch>(std::move(site), std::move(pattern), std::move(saw),
                                       std::move(client));
}

}  // namespace weft::messaging::kafka
