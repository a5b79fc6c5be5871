#include "remote/testing/fault_proxy.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <thread>
#include <vector>

namespace weft::remote {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using Fault = FaultProxy::Fault;

constexpr std::chrono::milliseconds kLook{2};
constexpr std::chrono::milliseconds kDelay{50};
constexpr std::size_t kThrottled = 4096;  // Bytes every 16 ms.
constexpr std::chrono::milliseconds kThrottleEach{16};
// Of what comes at once, so many bytes are passed one by one.
constexpr std::size_t kSliced = 512;

struct Pair {
  explicit Pair(asio::io_context& context) : client(context), server(context) {}
  tcp::socket client;
  tcp::socket server;
  void close() {
    boost::system::error_code ignored;
    client.close(ignored);
    server.close(ignored);
  }
};

}  // namespace

struct FaultProxy::Impl {
  asio::io_context context;
  tcp::endpoint server;
  tcp::endpoint here;
  std::unique_ptr<tcp::acceptor> acceptor;
  std::vector<std::weak_ptr<Pair>> pairs;
  Fault fault = Fault::kNone;
  std::atomic<std::size_t> connections = 0;
  std::thread thread;

  void listen() {
    acceptor = std::make_unique<tcp::acceptor>(context, here);
    here = acceptor->local_endpoint();
    asio::co_spawn(context, accept(), asio::detached);
  }

  void close_all() {
    for (auto& each : pairs) {
      if (auto pair = each.lock()) pair->close();
    }
    pairs.clear();
  }

  asio::awaitable<void> accept() {
    try {
      for (;;) {
        auto pair = std::make_shared<Pair>(context);
        co_await acceptor->async_accept(pair->client, use_awaitable);
        ++connections;
        pairs.push_back(pair);
        asio::co_spawn(context, serve(pair), asio::detached);
      }
    } catch (const boost::system::system_error&) {
      // The acceptor was closed.
    }
  }

  asio::awaitable<void> serve(std::shared_ptr<Pair> pair) {
    try {
      co_await pair->server.async_connect(server, use_awaitable);
      pair->server.set_option(tcp::no_delay(true));
      pair->client.set_option(tcp::no_delay(true));
      asio::co_spawn(context, pump(pair, pair->client, pair->server, false), asio::detached);
      asio::co_spawn(context, pump(pair, pair->server, pair->client, true), asio::detached);
    } catch (const boost::system::system_error&) {
      pair->close();
    }
  }

  asio::awaitable<void> wait(std::chrono::milliseconds time) {
    asio::steady_timer timer(context, time);
    co_await timer.async_wait(use_awaitable);
  }

  // `answers`: this way is the server's.
  asio::awaitable<void> pump(std::shared_ptr<Pair> pair, tcp::socket& from, tcp::socket& to,
                             bool answers) {
    try {
      std::vector<char> bytes(64 * 1024);
      for (;;) {
        std::size_t count = co_await from.async_read_some(asio::buffer(bytes), use_awaitable);
        std::size_t at = 0;
        while (at < count) {
          std::size_t part = count - at;
          if (fault == Fault::kStall) {
            co_await wait(kLook);
            if (!pair->client.is_open()) co_return;
            continue;
          }
          if (fault == Fault::kDelay && at == 0) co_await wait(kDelay);
          if (fault == Fault::kSlice && at < kSliced) part = 1;
          if (fault == Fault::kThrottle) {
            part = std::min(part, kThrottled);
            co_await wait(kThrottleEach);
          }
          bool cut = fault == Fault::kCut || fault == Fault::kCutAsked;
          if (cut && answers) {
            std::size_t some = fault == Fault::kCut ? (part + 1) / 2 : 0;
            if (some > 0) {
              co_await asio::async_write(to, asio::buffer(bytes.data() + at, some), use_awaitable);
            }
            fault = Fault::kNone;
            pair->close();
            co_return;
          }
          co_await asio::async_write(to, asio::buffer(bytes.data() + at, part), use_awaitable);
          at += part;
        }
      }
    } catch (const boost::system::system_error&) {
      pair->close();
    }
  }
};

FaultProxy::FaultProxy(std::uint16_t server_port) : impl_(std::make_unique<Impl>()) {
  impl_->server = tcp::endpoint(asio::ip::address_v4::loopback(), server_port);
  impl_->here = tcp::endpoint(asio::ip::address_v4::loopback(), 0);
  impl_->listen();
  impl_->thread = std::thread([impl = impl_.get()] {
    auto work = asio::make_work_guard(impl->context);
    impl->context.run();
  });
}

FaultProxy::~FaultProxy() {
  impl_->context.stop();
  impl_->thread.join();
}

std::uint16_t FaultProxy::port() const {
  return impl_->here.port();
}

std::size_t FaultProxy::connections() const {
  return impl_->connections;
}

void FaultProxy::set(Fault fault) {
  std::promise<void> done;
  asio::post(impl_->context, [&] {
    if (fault == Fault::kRefuse) {
      impl_->acceptor.reset();
      impl_->close_all();
    } else if (impl_->acceptor == nullptr) {
      impl_->listen();
    }
    impl_->fault = fault;
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace weft::remote
