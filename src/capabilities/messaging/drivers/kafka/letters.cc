#include "capabilities/messaging/drivers/kafka/letters.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "capabilities/messaging/drivers/kafka/group.h"
#include "remote/kafka/errors.h"

namespace weft::messaging::kafka {
namespace {

using remote::kafka::error_of;
using remote::kafka::Handle;
using Letters = std::vector<DeadLetter>;

constexpr int kPollMs = 100;

struct DestroyMessage {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using Came = std::unique_ptr<rd_kafka_message_t, DestroyMessage>;

// Offsets of a topic of letters: from the first, and before the last.
struct Stretch {
  std::int64_t from = 0;
  std::int64_t to = 0;
};

Result<std::vector<std::string>> letter_topics(const Handle& client, const Topics& topics,
                                               Deadline deadline) {
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t error =
      rd_kafka_metadata(client.get(), 1, nullptr, &metadata, ms_until(deadline));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(error_of(error, "asking for the topics of dead letters"));
  }
  std::vector<std::string> found;
  for (int i = 0; i < metadata->topic_cnt && found.size() < kLetterTopicsMax; ++i) {
    std::string_view name = metadata->topics[i].topic;
    if (name.starts_with(topics.all_dead()) && metadata->topics[i].partition_cnt > 0) {
      found.emplace_back(name);
    }
  }
  rd_kafka_metadata_destroy(metadata);
  std::ranges::sort(found);
  return found;
}

// All that the topic has now.
Result<Stretch> whole(const Handle& client, const std::string& topic, Deadline deadline) {
  Stretch all;
  rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
      client.get(), topic.c_str(), 0, &all.from, &all.to, ms_until(deadline));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return all;
  return std::unexpected(error_of(error, "asking for the ends of " + topic));
}

// Each record of it, in order.
Result<void> read(const Handle& client, const std::string& topic, Stretch stretch,
                  Deadline deadline, const std::function<void(const rd_kafka_message_t&)>& each) {
  remote::kafka::PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), 0)->offset = stretch.from;
  rd_kafka_assign(client.get(), list.get());
  for (std::int64_t next = stretch.from; next < stretch.to;) {
    if (deadline.passed()) {
      return failure(Errc::kTimeout, fmt::format("Kafka: reading {} took too long", topic));
    }
    Came came(rd_kafka_consumer_poll(client.get(), std::min(kPollMs, ms_until(deadline))));
    if (came == nullptr) continue;
    // The end may come before it, where transactions have offsets of their own.
    if (came->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) break;
    if (came->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    next = came->offset + 1;
    if (next <= stretch.to) each(*came);
  }
  rd_kafka_assign(client.get(), nullptr);
  return {};
}

// Those of one group that are not done, the last kLettersMax. From the end, where the marks are.
Result<Letters> read_group(const Handle& client, const Topics& topics, const std::string& topic,
                           Deadline deadline) {
  TRY(Stretch all, whole(client, topic, deadline));
  all.from = std::max(all.from, all.to - kLetterRecordsMax);
  Letters found;
  std::set<std::uint64_t> done;
  while (all.to > all.from && std::ssize(found) < kLettersMax) {
    Stretch last{std::max(all.from, all.to - kLettersMax), all.to};
    Letters before;
    TRY_VOID(read(client, topic, last, deadline, [&](const rd_kafka_message_t& came) {
      if (std::uint64_t number = mark_from_wire(came); number != 0) {
        done.insert(number);
      } else if (auto letter = letter_from_wire(topics, came)) {
        before.push_back(*std::move(letter));
      }
    }));
    std::erase_if(before, [&](const DeadLetter& each) { return done.contains(each.number); });
    before.insert(before.end(), std::make_move_iterator(found.begin()),
                  std::make_move_iterator(found.end()));
    found = std::move(before);
    all.to = last.from;
  }
  if (std::ssize(found) > kLettersMax) found.erase(found.begin(), found.end() - kLettersMax);
  return found;
}

Result<Letters> read_all(const Handle& client, const Topics& topics, std::size_t most,
                         Deadline deadline) {
  TRY(std::vector<std::string> found, letter_topics(client, topics, deadline));
  Letters letters;
  for (const std::string& topic : found) {
    if (letters.size() >= most) break;
    TRY(Letters some, read_group(client, topics, topic, deadline));
    some.resize(std::min(some.size(), most - letters.size()));
    std::ranges::move(some, std::back_inserter(letters));
  }
  return letters;
}

Result<Message> read_one(const Handle& client, const Topics& topics, const std::string& group,
                         std::uint64_t number, Deadline deadline) {
  auto none = [&] { return failure(Errc::kNotFound, no_letter(group, number)); };
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (number == 0 || number > kMost) return none();
  std::string topic = topics.dead(group);
  TRY(std::vector<std::string> there, letter_topics(client, topics, deadline));
  if (std::ranges::find(there, topic) == there.end()) return none();
  TRY(Stretch all, whole(client, topic, deadline));
  auto offset = static_cast<std::int64_t>(number - 1);
  all.from = std::max(all.from, all.to - kLetterRecordsMax);
  if (offset < all.from || offset >= all.to) return none();
  std::optional<DeadLetter> found;
  bool done = false;
  // A mark is after its letter.
  all.from = offset;
  TRY_VOID(read(client, topic, all, deadline, [&](const rd_kafka_message_t& came) {
    done = done || mark_from_wire(came) == number;
    if (came.offset == offset) found = letter_from_wire(topics, came);
  }));
  if (!found || found->group != group || done) return none();
  return std::move(found->message);
}

// Reads on a thread of the pool, with a client of its own, and tells on the loop.
template <class T>
void ask(const std::shared_ptr<Common>& common, Loop& loop, const std::string& group_id,
         std::move_only_function<Result<T>(const Handle&)> work,
         std::move_only_function<void(Result<T>)> done) {
  auto client = common->open_consumer(group_id, {{"enable.partition.eof", "true"},
                                                 {"auto.offset.reset", "earliest"},
                                                 {"allow.auto.create.topics", "false"}});
  if (!client) return done(std::unexpected(std::move(client).error()));
  auto result = std::make_shared<std::optional<Result<T>>>();  // Shared by the two functions below.
  // Called once, by whichever has it to say.
  auto told = std::make_shared<decltype(done)>(std::move(done));
  Result<void> accepted = common->pool.submit(
      loop,
      [client = *std::move(client), work = std::move(work), result]() mutable {
        *result = work(client);
      },
      [told, result] { (*told)(**std::move(result)); });
  if (!accepted) (*told)(std::unexpected(std::move(accepted).error()));
}

std::string reader_of(const Site& site) {
  return site.group_id("_dead");
}

}  // namespace

Answer<Letters> letters(Site& site, Request request, std::size_t most) {
  Promise<Letters> promise;
  Answer<Letters> answer = promise.answer();
  Deadline deadline = earlier(request.deadline, Deadline::after(kAskTime));
  // What was buried before is told of.
  TRY_VOID(site.when_buried([common = site.shared_common(), loop = &site.loop(),
                             place = site.place(), reader = reader_of(site), most, deadline,
                             promise = std::move(promise)]() mutable {
    ask<Letters>(
        common, *loop, reader,
        [place, most, deadline](const Handle& client) {
          return read_all(client, place->topics, most, deadline);
        },
        [promise = std::move(promise)](Result<Letters> found) mutable {
          std::move(promise).fulfil(std::move(found));
        });
  }));
  return answer;
}

Answer<void> replay(Site& site, Request request, std::string group, std::uint64_t number) {
  Promise<void> promise;
  Answer<void> answer = promise.answer();
  Deadline deadline = earlier(request.deadline, Deadline::after(kAskTime));
  // One that was done before is none any more.
  TRY_VOID(site.when_buried([common = site.shared_common(), loop = &site.loop(),
                             place = site.place(), reader = reader_of(site), group, number,
                             deadline, promise = std::move(promise)]() mutable {
    if (!place->replays.begin(group, number)) {
      return std::move(promise).fulfil(failure(Errc::kConflict, being_replayed(number)));
    }
    auto found = [place, group, number, replaying = Replaying(place, group, number),
                  promise = std::move(promise)](Result<Message> message) mutable {
      Result<void> how;
      if (message) {
        std::vector<Left> left;
        left.push_back({{place->turns.next_id(), *std::move(message)}, {}, number});
        bool taken = place->turns.pass(group, std::move(left)).empty();
        if (!taken) how = failure(Errc::kUnavailable, no_trigger(group));
      } else {
        how = std::unexpected(std::move(message).error());
      }
      // From here on it is the queue's, or nobody's.
      if (how) {
        replaying.leave();
      } else {
        replaying.end();
      }
      std::move(promise).fulfil(std::move(how));
    };
    ask<Message>(
        common, *loop, reader,
        [place, group, number, deadline](const Handle& client) {
          return read_one(client, place->topics, group, number, deadline);
        },
        std::move(found));
  }));
  return answer;
}

}  // namespace weft::messaging::kafka
