#include "capabilities/messaging/drivers/kafka/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <thread>

#include "capabilities/messaging/message.h"
#include "remote/kafka/errors.h"

namespace weft::messaging::kafka {
namespace {

using remote::kafka::error_of;
using remote::kafka::PartitionList;
using std::chrono::milliseconds;

// How long a topic that the server may make is waited for.
constexpr milliseconds kMakeTime{2'000};
constexpr milliseconds kLookAgain{50};

struct DestroyMetadata {
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
};
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, DestroyMetadata>;
struct DestroyTopic {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
using Topic = std::unique_ptr<rd_kafka_topic_t, DestroyTopic>;

PartitionList list(int size) {
  return PartitionList(rd_kafka_topic_partition_list_new(size));
}

std::span<rd_kafka_topic_partition_t> each(const PartitionList& list) {
  return {list->elems, static_cast<std::size_t>(list->cnt)};
}

Result<void> well(rd_kafka_resp_err_t error, const PartitionList& list, std::string_view doing) {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(error_of(error, doing));
  for (const auto& one : each(list)) {
    if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return std::unexpected(error_of(one.err, fmt::format("{} of {}", doing, one.topic)));
    }
  }
  return {};
}

// Adds the partitions of all topics of the pattern that are there. Asks for all of the server's,
// or for that one.
Result<void> find_all(rd_kafka_t* client, const Topics& topics, const std::string& pattern,
                      Deadline deadline, const PartitionList& found, const Topic& only = nullptr) {
  const rd_kafka_metadata_t* told = nullptr;
  rd_kafka_resp_err_t error =
      rd_kafka_metadata(client, only == nullptr ? 1 : 0, only.get(), &told, ms_until(deadline));
  Metadata metadata(told);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(error_of(error, "asking for the topics"));
  }
  for (const auto& topic :
       std::span(metadata->topics, static_cast<std::size_t>(metadata->topic_cnt))) {
    auto name = topics.topic(topic.topic);
    if (!name || !matches(pattern, *name) || topic.partition_cnt == 0) continue;
    if (found->cnt + topic.partition_cnt > kPartitionsMax) {
      return failure(Errc::kLimit, fmt::format("Kafka: the topics of {} have more than {} "
                                               "partitions together",
                                               pattern, kPartitionsMax));
    }
    rd_kafka_topic_partition_list_add_range(found.get(), topic.topic, 0, topic.partition_cnt - 1);
  }
  return {};
}

// The offsets at one of their ends.
Result<void> ends(rd_kafka_t* client, const PartitionList& partitions, std::int64_t end,
                  Deadline deadline) {
  for (auto& one : each(partitions)) one.offset = end;
  return well(rd_kafka_offsets_for_times(client, partitions.get(), ms_until(deadline)), partitions,
              "asking for the ends");
}

// Somebody is in the group: so it is there.
bool has_members(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
         error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
         error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
}

// rd_kafka_commit would wait for ever.
Result<void> commit(rd_kafka_t* client, const PartitionList& list, Deadline deadline) {
  constexpr std::string_view kDoing = "writing where the group begins";
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_resp_err_t error = rd_kafka_commit_queue(client, list.get(), queue, nullptr, nullptr);
  remote::kafka::Event event(error == RD_KAFKA_RESP_ERR_NO_ERROR
                                 ? rd_kafka_queue_poll(queue, ms_until(deadline))
                                 : nullptr);
  if (event) {
    error = rd_kafka_event_error(event.get());
  } else if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  }
  event.reset();
  rd_kafka_queue_destroy(queue);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || has_members(error)) return {};
  return std::unexpected(error_of(error, kDoing));
}

}  // namespace

int ms_until(Deadline deadline) {
  constexpr milliseconds kLongest = std::chrono::hours(1);
  if (deadline.is_never()) return static_cast<int>(kLongest.count());
  auto left = std::chrono::ceil<milliseconds>(deadline.when() - Deadline::Clock::now());
  return static_cast<int>(std::clamp(left, milliseconds(1), kLongest).count());
}

Result<std::int32_t> partitions_of(rd_kafka_t* client, const std::string& topic,
                                   Deadline deadline) {
  Topic asked(rd_kafka_topic_new(client, topic.c_str(), nullptr));
  if (asked == nullptr) {
    return std::unexpected(error_of(rd_kafka_last_error(), "asking for " + topic));
  }
  Deadline made = earlier(deadline, Deadline::after(kMakeTime));
  for (;;) {
    const rd_kafka_metadata_t* told = nullptr;
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(client, 0, asked.get(), &told, ms_until(deadline));
    Metadata metadata(told);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return std::unexpected(error_of(error, "asking for " + topic));
    }
    if (metadata->topic_cnt > 0) {
      const rd_kafka_metadata_topic& found = metadata->topics[0];
      if (found.err == RD_KAFKA_RESP_ERR_NO_ERROR && found.partition_cnt > 0) {
        return found.partition_cnt;
      }
      if (remote::kafka::code_of(found.err) == Errc::kDenied) {
        return std::unexpected(error_of(found.err, "asking for " + topic));
      }
    }
    if (made.passed()) return 0;
    std::this_thread::sleep_for(kLookAgain);
  }
}

Result<PartitionList> find_partitions(rd_kafka_t* client, const Topics& topics,
                                      const std::string& pattern, Deadline deadline) {
  TRY(std::string subscription, topics.subscription(pattern));
  Topic only;
  if (!subscription.starts_with('^')) {
    only.reset(rd_kafka_topic_new(client, subscription.c_str(), nullptr));
    if (only == nullptr) {
      return std::unexpected(error_of(rd_kafka_last_error(), "asking for " + subscription));
    }
  }
  PartitionList found = list(8);
  TRY_VOID(find_all(client, topics, pattern, deadline, found, only));
  return found;
}

Result<void> to_ends(rd_kafka_t* client, const PartitionList& partitions, Deadline deadline) {
  if (partitions->cnt == 0) return {};
  return ends(client, partitions, RD_KAFKA_OFFSET_END, deadline);
}

Result<void> begin_group(rd_kafka_t* client, const Topics& topics, const std::string& pattern,
                         Deadline deadline) {
  TRY(std::string subscription, topics.subscription(pattern));
  PartitionList found = list(8);
  if (subscription.starts_with('^')) {
    TRY_VOID(find_all(client, topics, pattern, deadline, found));
  } else {
    TRY(std::int32_t count, partitions_of(client, subscription, deadline));
    if (count > 0) {
      rd_kafka_topic_partition_list_add_range(found.get(), subscription.c_str(), 0, count - 1);
    }
  }
  if (found->cnt == 0) return {};
  TRY_VOID(well(rd_kafka_committed(client, found.get(), ms_until(deadline)), found,
                "asking where the group stands"));
  bool is_there = std::ranges::any_of(each(found), [](const auto& one) { return one.offset >= 0; });
  if (is_there) return {};
  TRY_VOID(ends(client, found, RD_KAFKA_OFFSET_END, deadline));
  return commit(client, found, deadline);
}

Result<std::vector<Position>> positions(rd_kafka_t* client, const PartitionList& partitions,
                                        Deadline deadline) {
  PartitionList asked(rd_kafka_topic_partition_list_copy(partitions.get()));
  TRY_VOID(well(rd_kafka_committed(client, asked.get(), ms_until(deadline)), asked,
                "asking where the group stands"));
  std::vector<Position> positions;
  PartitionList fresh = list(8);
  for (const auto& one : each(asked)) {
    if (one.offset < 0) {
      rd_kafka_topic_partition_list_add(fresh.get(), one.topic, one.partition);
      continue;
    }
    std::string notes(static_cast<const char*>(one.metadata), one.metadata_size);
    positions.push_back({one.topic, one.partition, one.offset, std::move(notes)});
  }
  if (fresh->cnt == 0) return positions;
  TRY_VOID(ends(client, fresh, RD_KAFKA_OFFSET_BEGINNING, deadline));
  for (const auto& one : each(fresh)) {
    positions.push_back(
        {one.topic, one.partition, std::max<std::int64_t>(one.offset, 0), {}, false});
  }
  return positions;
}

}  // namespace weft::messaging::kafka
