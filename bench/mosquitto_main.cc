// weft_mqtt_bench HOST:PORT VERB TOPIC COUNT BYTES: libmosquitto, plain, with QoS 1. `subscribe`
// makes the session in which messages wait for `consume`.

#include <mosquitto.h>

#include <condition_variable>
#include <mutex>

#include "broker_main.h"

namespace broker_bench {
namespace {

constexpr int kKeepAliveSeconds = 60;
constexpr int kQos = 1;

// Between the client's thread and this one.
struct Progress {
  std::mutex mutex;
  std::condition_variable news;
  bool connected = false;
  bool subscribed = false;
  int done = 0;  // Acknowledged, or come.
  Clock::time_point first;

  template <class Check>
  void wait(Check check) {
    std::unique_lock lock(mutex);
    if (!news.wait_for(lock, kTimeMax, check)) std::exit(fail("it takes too long"));
  }
  template <class Change>
  void change(Change change) {
    std::unique_lock lock(mutex);
    change();
    news.notify_one();
  }
};

void check(int code, std::string_view what) {
  if (code != MOSQ_ERR_SUCCESS)
    std::exit(fail(fmt::format("{}: {}", what, mosquitto_strerror(code))));
}

Progress& progress_of(void* of) {
  return *static_cast<Progress*>(of);
}

void count_one(Progress& progress) {
  progress.change([&] {
    if (progress.done++ == 0) progress.first = Clock::now();
  });
}

mosquitto* connect(const Job& job, Progress& progress) {
  // A publisher keeps nothing; the consumer's session has a name.
  bool publishes = job.verb == "publish";
  mosquitto* client = mosquitto_new(publishes ? nullptr : "plain", publishes, &progress);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, kInFlight);
  mosquitto_connect_callback_set(client, [](mosquitto*, void* to, int code) {
    check(code, "connecting");
    progress_of(to).change([to] { progress_of(to).connected = true; });
  });
  mosquitto_publish_callback_set(client,
                                 [](mosquitto*, void* to, int) { count_one(progress_of(to)); });
  mosquitto_subscribe_callback_set(client, [](mosquitto*, void* to, int, int, const int*) {
    progress_of(to).change([to] { progress_of(to).subscribed = true; });
  });
  mosquitto_message_callback_set(
      client, [](mosquitto*, void* to, const mosquitto_message*) { count_one(progress_of(to)); });
  std::size_t colon = job.url.rfind(':');
  check(mosquitto_connect(client, job.url.substr(0, colon).c_str(),
                          std::atoi(job.url.substr(colon + 1).c_str()), kKeepAliveSeconds),
        "connecting");
  check(mosquitto_loop_start(client), "its thread");
  progress.wait([&] { return progress.connected; });
  return client;
}

int publish(const Job& job, mosquitto* client, Progress& progress) {
  auto begin = Clock::now();
  for (int i = 0; i < job.count; ++i) {
    progress.wait([&] { return i - progress.done < kInFlight; });
    std::string body = body_of(job, i);
    check(mosquitto_publish(client, nullptr, job.topic.c_str(), static_cast<int>(body.size()),
                            body.data(), kQos, false),
          "publishing");
  }
  progress.wait([&] { return progress.done == job.count; });
  return say_seconds(begin, Clock::now());
}

int subscribe(const Job& job, mosquitto* client, Progress& progress) {
  check(mosquitto_subscribe(client, nullptr, job.topic.c_str(), kQos), "subscribing");
  progress.wait([&] { return progress.subscribed; });
  return 0;
}

// The session brings what waits as soon as it is there again.
int consume(const Job& job, Progress& progress) {
  progress.wait([&] { return progress.done >= job.count; });
  return say_seconds(progress.first, Clock::now());
}

int run(const Job& job) {
  mosquitto_lib_init();
  Progress progress;
  mosquitto* client = connect(job, progress);
  int code = job.verb == "publish"     ? publish(job, client, progress)
             : job.verb == "subscribe" ? subscribe(job, client, progress)
             : job.verb == "consume"   ? consume(job, progress)
                                       : fail("there is no verb " + job.verb);
  mosquitto_disconnect(client);
  mosquitto_loop_stop(client, false);
  mosquitto_destroy(client);
  return code;
}

}  // namespace
}  // namespace broker_bench

int main(int count, char** arguments) {
  return broker_bench::run(broker_bench::job_of(count, arguments));
}
