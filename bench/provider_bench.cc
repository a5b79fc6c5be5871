// provider_bench [ROUNDS]: what a call of a provider's process costs, beside plain programs over
// the same kind of socket. It is all of these programs itself. Prints one JSON object; a list has
// one figure a round.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>

#include "base/check.h"
#include "base/log.h"
#include "door/call.h"
#include "door/values.h"
#include "io/loop.h"
#include "provider/frame.h"
#include "provider/handshake.h"
#include "provider/provider_process.h"
#include "weft/provider.h"

namespace weft {
namespace {

using Clock = std::chrono::steady_clock;
using provider::FrameHead;
using provider::FrameKind;
using Record = std::tuple<std::string_view, std::uint64_t, bool>;

constexpr std::string_view kInterface = "bench:provider/calls@1.0.0";
constexpr std::array<FunctionInfo, 2> kFunctions{{
    {"echo", "func(b: list<u8>) -> list<u8>", true, false},
    {"record", "func(r: tuple<string, u64, bool>) -> tuple<string, u64, bool>", true, false},
}};
enum Ordinal : std::uint32_t { kEcho, kRecord };

constexpr std::size_t kTensor = 602'112;
constexpr int kPings = 4'000;
constexpr int kFlights = 60'000;
constexpr int kInFlight = 64;
constexpr int kTensors = 150;
constexpr int kKills = 5;

// --- the provider -------------------------------------------------------------------------------

struct Host {};
class Binding : public Provider {
 public:
  explicit Binding(Host&) {}
  void begin(Call& call, Completion done) override {
    if (call.function().ordinal == kEcho) return std::move(done).finish_lending(call.arguments());
    Reader in(call.arguments());
    auto record = in.read<Record>();
    if (!in.end()) return reject(std::move(done), in);
    Writer out(done.reply());
    out.write(record);
    std::move(done).finish();
  }
};

int serve(int argc, char** argv) {
  return provider::serve(argc, argv, [](provider::Setup&) -> Result<provider::Interfaces> {
    provider::Interfaces served;
    served.add<Binding>(kInterface, kFunctions, std::make_unique<Host>());
    return served;
  });
}

// --- plain programs -----------------------------------------------------------------------------

void write_all(int to, const std::uint8_t* bytes, std::size_t size) {
  while (size > 0) {
    ssize_t count = send(to, bytes, size, MSG_NOSIGNAL);
    CHECK(count > 0);
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
}
bool read_all(int from, std::uint8_t* bytes, std::size_t size) {
  while (size > 0) {
    ssize_t count = read(from, bytes, size);
    if (count <= 0) return false;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

// A process that sends back what it reads, `size` bytes at a time.
class PlainEcho {
 public:
  explicit PlainEcho(std::size_t size) : bytes_(size, 7) {
    std::array<int, 2> ends{};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    pid_ = fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
      close(ends[0]);
      while (read_all(ends[1], bytes_.data(), bytes_.size())) {
        write_all(ends[1], bytes_.data(), bytes_.size());
      }
      _exit(0);
    }
    close(ends[1]);
    socket_ = ends[0];
  }
  PlainEcho(const PlainEcho&) = delete;
  ~PlainEcho() {
    close(socket_);
    waitpid(pid_, nullptr, 0);
  }

  void once() {
    write_all(socket_, bytes_.data(), bytes_.size());
    CHECK(read_all(socket_, bytes_.data(), bytes_.size()));
  }

 private:
  Bytes bytes_;
  pid_t pid_ = 0;
  int socket_ = -1;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double microseconds(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

double plain_ping(std::size_t size) {
  PlainEcho echo(size);
  std::vector<double> times;
  for (int i = 0; i < kPings; ++i) {
    auto begin = Clock::now();
    echo.once();
    times.push_back(microseconds(Clock::now() - begin));
  }
  return median(std::move(times));
}

double plain_tensors() {
  PlainEcho echo(kTensor);
  auto begin = Clock::now();
  for (int i = 0; i < kTensors; ++i) echo.once();
  return kTensors * 1e6 / microseconds(Clock::now() - begin);
}

Bytes record_bytes() {
  Buffer buffer;
  Writer out(buffer);
  out.write(Record("a small record", 1'234'567, true));
  return Bytes(buffer.view().begin(), buffer.view().end());
}

// Speaks the frames with nothing but blocking reads and writes: counts replies, keeps 64 calls
// under way, and sends what a read made room for in one write.
class PlainClient : provider::FrameSink {
 public:
  PlainClient(const std::string& path, std::string token)
      : token_(std::move(token)), reader_(*this) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
    while (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      usleep(1000);
    }
    while (!ready_) turn();
  }
  ~PlainClient() override { close(socket_); }

  double run() {
    Bytes arguments = record_bytes();
    auto begin = Clock::now();
    int sent = 0;
    replies_ = 0;
    while (replies_ < kFlights) {
      for (; sent < kFlights && sent - replies_ < kInFlight; ++sent) {
        put({.kind = FrameKind::kCall,
             .id = static_cast<std::uint32_t>(sent % kInFlight),
             .number = kRecord},
            arguments);
      }
      turn();
    }
    return kFlights * 1e6 / microseconds(Clock::now() - begin);
  }

 private:
  Result<Buffer*> body_of(const FrameHead&) override { return nullptr; }
  Result<void> frame(const FrameHead& head, BytesView) override {
    if (head.kind == FrameKind::kHello) {
      Secret setup = provider::setup_text({.token = token_,
                                           .app = "bench",
                                           .name = "plain",
                                           .configuration_json = "",
                                           .secrets = {}});
      put({.kind = FrameKind::kSetup, .number = provider::kVersion}, as_bytes(setup.reveal()));
    }
    ready_ = ready_ || head.kind == FrameKind::kReady;
    replies_ += head.kind == FrameKind::kReply;
    return {};
  }
  void put(FrameHead head, BytesView body) {
    head.length = static_cast<std::uint32_t>(body.size());
    provider::write_head(head, out_.reserve(provider::kHeadSize));
    out_.advance(provider::kHeadSize);
    out_.append(body);
  }
  void turn() {
    if (!out_.empty()) write_all(socket_, out_.data(), out_.size());
    out_.clear();
    auto room = reader_.room();
    ssize_t count = readv(socket_, room.data(), room.size());
    CHECK(count > 0);
    CHECK(reader_.took(static_cast<std::size_t>(count)).has_value());
  }

  const std::string token_;
  provider::FrameReader reader_;
  int socket_ = -1;
  Buffer out_;
  bool ready_ = false;
  int replies_ = 0;
};

double plain_flights(const char* program) {
  std::string folder = (std::filesystem::temp_directory_path() / "weft-bench-XXXXXX").string();
  CHECK(mkdtemp(folder.data()) != nullptr);
  std::string path = folder + "/s";
  std::string token = provider::random_token();
  pid_t pid = fork();
  if (pid == 0) {
    setenv(provider::kSocketVariable, path.c_str(), 1);
    setenv(provider::kTokenVariable, token.c_str(), 1);
    execl(program, program, "provider", nullptr);
    _exit(127);
  }
  double rate = PlainClient(path, token).run();
  waitpid(pid, nullptr, 0);
  std::filesystem::remove_all(folder);
  return rate;
}

// --- weft ---------------------------------------------------------------------------------------

// Keeps some calls of one function under way until enough were answered.
class Load {
 public:
  Load(Loop& loop, CallPool& pool, Context& context, Link& link, Bytes arguments)
      : loop_(loop),
        pool_(pool),
        context_(context),
        link_(link),
        arguments_(std::move(arguments)) {}

  // Runs the loop until `total` calls are answered; the time of each.
  std::vector<double> run(int at_once, int total) {
    times_.clear();
    left_ = total;
    total_ = static_cast<std::size_t>(total);
    std::vector<std::unique_ptr<One>> all;
    for (int i = 0; i < at_once; ++i) all.push_back(std::make_unique<One>(*this));
    auto begin = Clock::now();
    loop_.post([&] {
      for (auto& each : all) each->start();
    });
    loop_.run();
    took_ = Clock::now() - begin;
    loop_.context().restart();
    return times_;
  }
  Clock::duration took() const { return took_; }

 private:
  class One : public Caller {
   public:
    explicit One(Load& load) : load_(load) {}
    void start() {
      if (load_.left_-- <= 0) return;
      begin_ = Clock::now();
      Call* call =
          load_.pool_.start(load_.link_, load_.context_, load_.arguments_, Deadline::never());
      CHECK(call->state() == Call::State::kRunning);
      call->set_caller(this);
    }
    void completed(Call& call) override {
      CHECK(call.state() == Call::State::kDone);
      load_.times_.push_back(microseconds(Clock::now() - begin_));
      call.release();
      if (load_.times_.size() == load_.total_) return load_.loop_.stop();
      start();
    }

   private:
    Load& load_;
    Clock::time_point begin_;
  };

  Loop& loop_;
  CallPool& pool_;
  Context& context_;
  Link& link_;
  Bytes arguments_;
  std::vector<double> times_;
  std::size_t total_ = 0;
  int left_ = 0;
  Clock::duration took_{};
};

struct Rounds {
  std::vector<double> plain_ping;
  std::vector<double> ping;
  std::vector<double> plain_flights;
  std::vector<double> flights;
  std::vector<double> plain_tensors;
  std::vector<double> tensors;
  std::vector<double> restarts;
};

void measure(const char* program, int rounds, Rounds& out) {
  ProviderSettings settings{.app = "bench", .name = "echo", .command = {program, "provider"}};
  settings.limits.steady = std::chrono::milliseconds(0);
  auto process =
      ProviderProcess::start(std::move(settings), Deadline::after(std::chrono::seconds(20)));
  CHECK(process.has_value());
  Loop loop;
  CallPool pool;
  Context context(loop, "bench", "bench");
  auto served = (*process)->provider_for(loop, kInterface);
  Link echo(*(*process)->function(kInterface, "echo"), *served);
  Link record(*(*process)->function(kInterface, "record"), *served);
  Bytes tensor = {0x80, 0xe0, 0x24};  // 602,112
  tensor.resize(tensor.size() + kTensor, 7);
  Load small(loop, pool, context, record, record_bytes());
  Load large(loop, pool, context, echo, std::move(tensor));
  std::size_t size = record_bytes().size();
  small.run(1, 200);
  large.run(1, 5);
  for (int round = 0; round < rounds; ++round) {
    // As many bytes as a frame has.
    out.plain_ping.push_back(plain_ping(provider::kHeadSize + size));
    out.ping.push_back(median(small.run(1, kPings)));
    out.plain_flights.push_back(plain_flights(program));
    small.run(kInFlight, kFlights);
    out.flights.push_back(kFlights * 1e6 / microseconds(small.took()));
    out.plain_tensors.push_back(plain_tensors());
    large.run(1, kTensors);
    out.tensors.push_back(kTensors * 1e6 / microseconds(large.took()));
  }
  for (int i = 0; i < kKills; ++i) {
    pid_t before = (*process)->status().pid;
    auto begin = Clock::now();
    kill(before, SIGKILL);
    // A call before the end is known fails; one after that waits for the new process.
    while ((*process)->status().pid == before) usleep(100);
    small.run(1, 1);
    out.restarts.push_back(microseconds(Clock::now() - begin) / 1000);
  }
}

}  // namespace
}  // namespace weft

int main(int argc, char** argv) {
  using namespace weft;
  if (argc > 1 && std::string_view(argv[1]) == "provider") return serve(argc, argv);
  log::set_level(LogLevel::kOff);
  Rounds out;
  measure("/proc/self/exe", argc > 1 ? std::atoi(argv[1]) : 5, out);
  fmt::print(R"({{"plain ping us": {}, "ping us": {}, "plain calls/s": {}, "calls/s": {}, )"
             R"("plain tensors/s": {}, "tensors/s": {}, "restart ms": {}}})"
             "\n",
             out.plain_ping, out.ping, out.plain_flights, out.flights, out.plain_tensors,
             out.tensors, out.restarts);
  return 0;
}
