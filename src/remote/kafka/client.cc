#include "remote/kafka/client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"
#include "remote/kafka/errors.h"
#include "remote/said.h"

namespace weft::remote::kafka {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr std::size_t kErrorBytesMax = 512;
constexpr int kLeavePollMs = 20;
// A consumer that is not polled for so long would leave its group: ours is polled by its events.
constexpr milliseconds kPollMax = std::chrono::hours(1);
// How long one question of `reach` waits before it looks at what went wrong.
constexpr int kAskMs = 100;

// What a client's callbacks need; destroyed after it.
struct Own {
  std::uint16_t through_port = 0;
};

void write_log(const rd_kafka_t*, int level, const char* what, const char* text) {
  constexpr int kCritical = 2;  // syslog's.
  std::string line = said(text);
  if (level <= kCritical) return log::warn("kafka", line, {{"what", what}});
  log::debug("kafka", line, {{"what", what}});
}

int connect_through(int socket, const sockaddr*, int, const char*, void* opaque) {
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  there.sin_port = htons(static_cast<Own*>(opaque)->through_port);
  if (connect(socket, reinterpret_cast<sockaddr*>(&there), sizeof(there)) == 0) return 0;
  return errno == EINPROGRESS ? 0 : errno;
}

std::string ms(milliseconds time) {
  return std::to_string(std::max<std::int64_t>(time.count(), 1));
}

Options options_of(const Settings& settings, Kind kind) {
  bool tls = settings.way == Settings::Way::kTls;
  std::string protocol = tls ? "ssl" : "plaintext";
  Options options{{"bootstrap.servers", settings.servers},
                  {"client.id", "weft"},
                  {"socket.timeout.ms", ms(settings.timeout)},
                  {"socket.connection.setup.timeout.ms", ms(kConnectTime)},
                  {"socket.keepalive.enable", "true"},
                  {"socket.nagle.disable", "true"},
                  {"reconnect.backoff.ms", "50"},
                  {"reconnect.backoff.max.ms", ms(kReconnectMax)},
                  {"topic.metadata.refresh.interval.ms", ms(settings.refresh)},
                  {"message.max.bytes", std::to_string(kRecordBytesMax)},
                  {"log.connection.close", "false"}};
  if (!settings.user.empty()) {
    protocol = "sasl_" + protocol;
    options.emplace_back("sasl.mechanism", settings.mechanism);
    options.emplace_back("sasl.username", settings.user);
  }
  if (protocol == "sasl_ssl" || protocol == "ssl") {
    if (!settings.ca_file.empty()) options.emplace_back("ssl.ca.location", settings.ca_file);
  }
  options.emplace_back("security.protocol", protocol);
  if (kind == Kind::kConsumer) {
    options.insert(options.end(),
                   {{"session.timeout.ms", ms(settings.session)},
                    {"heartbeat.interval.ms", ms(settings.session / 5)},
                    {"max.poll.interval.ms", ms(std::max(kPollMax, settings.session))},
                    {"enable.auto.commit", "false"},
                    {"enable.auto.offset.store", "false"},
                    {"queued.max.messages.kbytes", std::to_string(kAheadBytesMax / 1024)},
                    {"fetch.wait.max.ms", "200"},
                    {"fetch.error.backoff.ms", "100"}});
  }
  return options;
}

Result<void> set(rd_kafka_conf_t* conf, const std::string& name, const char* value) {
  std::array<char, kErrorBytesMax> text{};
  if (rd_kafka_conf_set(conf, name.c_str(), value, text.data(), text.size()) == RD_KAFKA_CONF_OK) {
    return {};
  }
  return failure(Errc::kInvalid, fmt::format("Kafka: {}", said(text.data())));
}

Result<void> fill(rd_kafka_conf_t* conf, const Settings& settings, Kind kind,
                  const Options& options, Own* own) {
  for (const auto& [name, value] : options_of(settings, kind)) {
    TRY_VOID(set(conf, name, value.c_str()));
  }
  for (const auto& [name, value] : options) TRY_VOID(set(conf, name, value.c_str()));
  if (!settings.user.empty()) {
    std::string password(settings.password.reveal());
    Result<void> done = set(conf, "sasl.password", password.c_str());
    explicit_bzero(password.data(), password.size());
    // What librdkafka says of a value may hold it.
    if (!done) return failure(Errc::kInvalid, "Kafka: this can be no password");
  }
  rd_kafka_conf_set_opaque(conf, own);
  rd_kafka_conf_set_log_cb(conf, write_log);
  if (own->through_port != 0) rd_kafka_conf_set_connect_cb(conf, connect_through);
  int events = RD_KAFKA_EVENT_ERROR;
  events |= kind == Kind::kProducer ? RD_KAFKA_EVENT_DR
                                    : RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT;
  rd_kafka_conf_set_events(conf, events);
  return {};
}

// Sees to it that a consumer's partitions go at once to the others of its group.
void leave(rd_kafka_t* client) {
  if (rd_kafka_type(client) != RD_KAFKA_CONSUMER) return;
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  Deadline limit = Deadline::after(kLeaveTime);
  if (rd_kafka_error_t* failed = rd_kafka_consumer_close_queue(client, queue)) {
    rd_kafka_error_destroy(failed);
    limit = Deadline::after(milliseconds(0));
  }
  while (!rd_kafka_consumer_closed(client) && !limit.passed()) {
    Event event(rd_kafka_queue_poll(queue, kLeavePollMs));
    if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) {
      unassign(client, rd_kafka_event_topic_partition_list(event.get()));
    }
  }
  rd_kafka_queue_destroy(queue);
}

}  // namespace

void Endings::end(rd_kafka_t* client, void* own) {
  {
    std::lock_guard hold(mutex_);
    ++under_way_;
  }
  std::thread([self = shared_from_this(), client, own] {
    leave(client);
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    delete static_cast<Own*>(own);
    std::lock_guard hold(self->mutex_);
    --self->under_way_;
    self->changed_.notify_all();
  }).detach();
}

void Endings::wait(Deadline deadline) {
  std::unique_lock hold(mutex_);
  changed_.wait_until(hold, deadline.when(), [this] { return under_way_ == 0; });
}

Result<Handle> open(const Settings& settings, Kind kind, const Options& options,
                    const std::shared_ptr<Endings>& endings) {
  auto own = std::make_unique<Own>(settings.through_port);
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  if (Result<void> filled = fill(conf, settings, kind, options, own.get()); !filled) {
    rd_kafka_conf_destroy(conf);
    return std::unexpected(std::move(filled).error());
  }
  std::array<char, kErrorBytesMax> text{};
  auto type = kind == Kind::kProducer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
  rd_kafka_t* client = rd_kafka_new(type, conf, text.data(), text.size());
  if (client == nullptr) {
    rd_kafka_conf_destroy(conf);
    return failure(Errc::kInvalid, fmt::format("Kafka: {}", said(text.data())));
  }
  // Errors come by the consumer's queue too.
  if (kind == Kind::kConsumer) rd_kafka_poll_set_consumer(client);
  return Handle(client,
                [endings, own = own.release()](rd_kafka_t* gone) { endings->end(gone, own); });
}

Result<void> reach(const Settings& settings, Deadline deadline,
                   const std::shared_ptr<Endings>& endings) {
  TRY(Handle client, open(settings, Kind::kProducer, {}, endings));
  rd_kafka_queue_t* queue = rd_kafka_queue_get_main(client.get());
  Error last = error_of(RD_KAFKA_RESP_ERR__TIMED_OUT, "reaching " + settings.servers);
  bool over = false;
  bool reached = false;
  while (!over && !reached && !deadline.passed()) {
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client.get(), 0, nullptr, &metadata, kAskMs);
    if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
    reached = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    while (rd_kafka_event_t* found = rd_kafka_queue_poll(queue, 0)) {
      Event event(found);
      if (rd_kafka_event_type(found) != RD_KAFKA_EVENT_ERROR || over) continue;
      rd_kafka_resp_err_t code = rd_kafka_event_error(found);
      over = code_of(code) == Errc::kDenied || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
      // The last one says no more than that all are gone.
      if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) continue;
      last = Error(code_of(code), fmt::format("Kafka: {}: {}", settings.servers,
                                              said(rd_kafka_event_error_string(found))));
    }
  }
  rd_kafka_queue_destroy(queue);
  if (reached) return {};
  return std::unexpected(std::move(last));
}

void unassign(rd_kafka_t* client, const rd_kafka_topic_partition_list_t* partitions) {
  if (std::string_view(rd_kafka_rebalance_protocol(client)) == "COOPERATIVE") {
    rd_kafka_error_t* failed = rd_kafka_incremental_unassign(client, partitions);
    if (failed == nullptr) return;
    rd_kafka_error_destroy(failed);
  }
  rd_kafka_assign(client, nullptr);
}

struct Watch::Wait : std::enable_shared_from_this<Watch::Wait> {
  Wait(Loop& on, int fd, std::function<void()> call)
      : loop(on), descriptor(on.context(), fd), ready(std::move(call)) {}

  void begin() {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (!error) self->woken();
                          });
  }
  void woken() {
    Loop::Turn turn(loop);
    std::uint64_t count = 0;
    [[maybe_unused]] ssize_t bytes =
        read(descriptor.native_handle(), &count, sizeof(count));  // Never blocks.
    if (ready == nullptr) return;
    begin();
    // It may end the watch.
    auto call = ready;
    call();
  }

  Loop& loop;
  asio::posix::stream_descriptor descriptor;
  std::function<void()> ready;  // Null: over.
};

Watch::Watch(Loop& loop, rd_kafka_queue_t* queue, std::function<void()> ready)
    : queue_(queue), wait_([&] {
        // What is there already wakes nobody: it begins as woken.
        int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        CHECK(fd >= 0);
        return std::make_shared<Wait>(loop, fd, std::move(ready));
      }()) {
  constexpr std::uint64_t kOne = 1;
  rd_kafka_queue_io_event_enable(queue_, wait_->descriptor.native_handle(), &kOne, sizeof(kOne));
  wait_->begin();
}

Watch::~Watch() {
  // Nothing is written to it from here on.
  rd_kafka_queue_io_event_enable(queue_, -1, nullptr, 0);
  rd_kafka_queue_destroy(queue_);
  wait_->ready = nullptr;
  boost::system::error_code ignored;
  wait_->descriptor.close(ignored);
}

}  // namespace weft::remote::kafka
