// weft_nats_bench URL VERB TOPIC COUNT BYTES: the C client of NATS (cnats), plain. `publish` and
// `consume` are core NATS, which acknowledges with a flush: one for kInFlight messages, or with
// `publish-each` one for each, of so many threads. `js-publish` and `js-consume` are JetStream.
// `js-make` makes the stream that is named as the first part of TOPIC, with a consumer for TOPIC,
// anew.

#include <nats/nats.h>

#include <atomic>
#include <thread>
#include <vector>

#include "broker_main.h"

namespace broker_bench {
namespace {

constexpr int kFetchMillisecondsMax = 5'000;

void check(natsStatus status, std::string_view what) {
  if (status == NATS_OK) return;
  std::exit(fail(fmt::format("{}: {}", what, natsStatus_GetText(status))));
}

std::string stream_of(const Job& job) {
  return job.topic.substr(0, job.topic.find('.'));
}

int publish(const Job& job, natsConnection* connection) {
  auto begin = Clock::now();
  for (int i = 0; i < job.count; ++i) {
    std::string body = body_of(job, i);
    check(natsConnection_Publish(connection, job.topic.c_str(), body.data(),
                                 static_cast<int>(body.size())),
          "publishing");
    bool full = (i + 1) % kInFlight == 0 || i + 1 == job.count;
    if (full) check(natsConnection_Flush(connection), "flushing");
  }
  return say_seconds(begin, Clock::now());
}

// Each thread waits for its last message's acknowledgement before its next one.
int publish_each(const Job& job, natsConnection* connection) {
  auto begin = Clock::now();
  std::atomic<int> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kInFlight; ++i) {
    threads.emplace_back([&] {
      for (int number = next++; number < job.count; number = next++) {
        std::string body = body_of(job, number);
        check(natsConnection_Publish(connection, job.topic.c_str(), body.data(),
                                     static_cast<int>(body.size())),
              "publishing");
        check(natsConnection_Flush(connection), "flushing");
      }
    });
  }
  for (std::thread& each : threads) each.join();
  return say_seconds(begin, Clock::now());
}

// What has come, from the client's own thread.
struct Coming {
  std::atomic<int> count{0};
  Clock::time_point first;
};

int consume(const Job& job, natsConnection* connection) {
  Coming coming;
  natsSubscription* subscription = nullptr;
  auto come = [](natsConnection*, natsSubscription*, natsMsg* message, void* to) {
    auto& all = *static_cast<Coming*>(to);
    if (all.count.load(std::memory_order_relaxed) == 0) all.first = Clock::now();
    natsMsg_Destroy(message);
    all.count.fetch_add(1, std::memory_order_release);
    all.count.notify_one();
  };
  check(natsConnection_QueueSubscribe(&subscription, connection, job.topic.c_str(), "plain", come,
                                      &coming),
        "subscribing");
  check(natsSubscription_SetPendingLimits(subscription, -1, -1), "subscribing");
  check(natsConnection_Flush(connection), "flushing");
  say_ready();
  int seen = 0;
  while ((seen = coming.count.load(std::memory_order_acquire)) < job.count) {
    coming.count.wait(seen);
  }
  auto end = Clock::now();
  natsSubscription_Destroy(subscription);
  return say_seconds(coming.first, end);
}

int js_make(const Job& job, jsCtx* stream) {
  std::string name = stream_of(job);
  std::string all = name + ".>";
  jsErrCode code = static_cast<jsErrCode>(0);
  js_DeleteStream(stream, name.c_str(), nullptr, &code);
  const char* subjects[] = {all.c_str()};
  jsStreamConfig config;
  check(jsStreamConfig_Init(&config), "the stream");
  config.Name = name.c_str();
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Retention = js_InterestPolicy;
  config.Storage = js_FileStorage;
  check(js_AddStream(nullptr, stream, &config, nullptr, &code), "the stream");
  jsConsumerConfig consumer;
  check(jsConsumerConfig_Init(&consumer), "the consumer");
  consumer.Durable = "plain";
  consumer.FilterSubject = job.topic.c_str();
  consumer.AckPolicy = js_AckExplicit;
  consumer.MaxAckPending = 1'024;
  check(js_AddConsumer(nullptr, stream, name.c_str(), &consumer, nullptr, &code), "the consumer");
  return 0;
}

int js_publish(const Job& job, jsCtx* stream) {
  auto begin = Clock::now();
  for (int i = 0; i < job.count; ++i) {
    std::string body = body_of(job, i);
    check(js_PublishAsync(stream, job.topic.c_str(), body.data(), static_cast<int>(body.size()),
                          nullptr),
          "publishing");
  }
  check(js_PublishAsyncComplete(stream, nullptr), "publishing");
  return say_seconds(begin, Clock::now());
}

int js_consume(const Job& job, jsCtx* stream) {
  jsErrCode code = static_cast<jsErrCode>(0);
  jsSubOptions options;
  check(jsSubOptions_Init(&options), "subscribing");
  std::string name = stream_of(job);
  options.Stream = name.c_str();
  options.Consumer = "plain";
  natsSubscription* subscription = nullptr;
  check(
      js_PullSubscribe(&subscription, stream, job.topic.c_str(), "plain", nullptr, &options, &code),
      "subscribing");
  Clock::time_point first;
  for (int seen = 0; seen < job.count;) {
    natsMsgList list;
    check(natsSubscription_Fetch(&list, subscription, kInFlight, kFetchMillisecondsMax, &code),
          "fetching");
    if (seen == 0) first = Clock::now();
    for (int i = 0; i < list.Count; ++i) check(natsMsg_Ack(list.Msgs[i], nullptr), "acknowledging");
    seen += list.Count;
    natsMsgList_Destroy(&list);
  }
  auto end = Clock::now();
  natsSubscription_Destroy(subscription);
  return say_seconds(first, end);
}

int run(const Job& job) {
  end_in_time();
  natsConnection* connection = nullptr;
  check(natsConnection_ConnectTo(&connection, job.url.c_str()), "connecting");
  jsOptions options;
  check(jsOptions_Init(&options), "JetStream");
  options.PublishAsync.MaxPending = kInFlight;
  options.PublishAsync.StallWait = std::chrono::milliseconds(kTimeMax).count();
  jsCtx* stream = nullptr;
  check(natsConnection_JetStream(&stream, connection, &options), "JetStream");
  int code = job.verb == "publish"        ? publish(job, connection)
             : job.verb == "publish-each" ? publish_each(job, connection)
             : job.verb == "consume"      ? consume(job, connection)
             : job.verb == "js-make"      ? js_make(job, stream)
             : job.verb == "js-publish"   ? js_publish(job, stream)
             : job.verb == "js-consume"   ? js_consume(job, stream)
                                          : fail("there is no verb " + job.verb);
  check(natsConnection_Flush(connection), "flushing");
  jsCtx_Destroy(stream);
  natsConnection_Destroy(connection);
  return code;
}

}  // namespace
}  // namespace broker_bench

int main(int count, char** arguments) {
  return broker_bench::run(broker_bench::job_of(count, arguments));
}
