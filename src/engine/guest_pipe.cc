#include "engine/guest_pipe.h"

#include <algorithm>

#include "engine/instance.h"
#include "weft-engine/src/bridge.rs.h"

namespace weft {

PipeEnd::~PipeEnd() {
  if (auto* writer = std::get_if<PipeWriter>(&end_)) {
    if (table_.ended()) {
      writer->fail(Error(Errc::kIo, "the guest ended before it had written all"));
    } else {
      writer->finish();
    }
  }
  table_.leave_guest();
}

void PipeEnd::wait(PipeWaiter waiter) {
  std::visit([&](auto& end) { end.wait(std::move(waiter)); }, end_);
}

// Frees itself when its task ends.
class Pumps::Pump final : public Pollable {
 public:
  explicit Pump(Pumps& pumps) : pumps_(pumps), slot_(pumps.engine_.add(*this)) {}
  ~Pump() override {
    task_.reset();
    pumps_.engine_.remove(slot_);
  }

  void start(rust::Box<bridge::Task> task) {
    task_.emplace(std::move(task));
    pumps_.engine_.wakes()->wake(slot_.index, slot_.generation);
  }
  EngineLoop::Slot slot() const { return slot_; }

  void poll() override {
    if (!task_) return;
    bool ended;
    {
      WakeTarget::Poll polling(*pumps_.engine_.wakes(), slot_.index, slot_.generation);
      ended = (*task_)->poll();
    }
    if (!ended) return;
    std::erase_if(pumps_.pumps_, [this](const auto& each) { return each.get() == this; });
  }

 private:
  Pumps& pumps_;
  EngineLoop::Slot slot_;
  std::optional<rust::Box<bridge::Task>> task_;
};

Pumps::Pumps(EngineLoop& engine) : engine_(engine) {}
Pumps::~Pumps() = default;
void Pumps::stop() {
  pumps_.clear();
}

bridge::WakeKey Pumps::add() {
  pumps_.push_back(std::make_unique<Pump>(*this));
  return wake_key(engine_, pumps_.back()->slot());
}

void Pumps::start(std::uint32_t slot, rust::Box<bridge::Task> task) {
  auto pump =
      std::ranges::find_if(pumps_, [slot](const auto& each) { return each->slot().index == slot; });
  CHECK(pump != pumps_.end());
  (*pump)->start(std::move(task));
}

namespace bridge {

namespace {

weft::PipeKind from_bridge(PipeKind kind) {
  switch (kind) {
    case PipeKind::Bytes: return weft::PipeKind::kBytes;
    case PipeKind::Items: return weft::PipeKind::kItems;
    default: return weft::PipeKind::kOne;
  }
}

template <class T>
bool well(const Result<T>& result, rust::String& problem) {
  if (!result) problem = rust::String::lossy(result.error().message());
  return result.has_value();
}

}  // namespace

PipeEnd* pipe_open(GuestHost* host, PipeKind kind, PipeSide side, std::uint32_t& number,
                   rust::String& problem) {
  PipeTable& table = host->pipes();
  if (!well(table.enter_guest(), problem)) return nullptr;
  auto [reader, writer] = Pipe::make(table.loop(), from_bridge(kind));
  PipeTable::End here = std::move(writer);
  PipeTable::End there = std::move(reader);
  if (side == PipeSide::Reads) std::swap(here, there);
  auto end = std::make_unique<PipeEnd>(table, std::move(here));
  Result<std::uint32_t> pushed = table.push(std::move(there));
  if (!well(pushed, problem)) return nullptr;
  number = *pushed;
  return end.release();
}

PipeEnd* pipe_take_up(GuestHost* host, std::uint32_t number, PipeKind kind, PipeSide side,
                      rust::String& problem) {
  PipeTable& table = host->pipes();
  PipeTable::End end;
  if (side == PipeSide::Reads) {
    Result<PipeReader> reader = table.take_reader(number, from_bridge(kind));
    if (!well(reader, problem)) return nullptr;
    end = *std::move(reader);
  } else {
    Result<PipeWriter> writer = table.take_writer(number, from_bridge(kind));
    if (!well(writer, problem)) return nullptr;
    end = *std::move(writer);
  }
  if (!well(table.enter_guest(), problem)) return nullptr;
  return new PipeEnd(table, std::move(end));
}

void pipe_forget(GuestHost* host, std::uint32_t number) {
  host->pipes().forget(number);
}

std::uint8_t pipe_state(const PipeEnd* end) {
  return static_cast<std::uint8_t>(end->reader().state());
}
rust::Slice<const std::uint8_t> pipe_view(const PipeEnd* end) {
  BytesView view = end->reader().view();
  return {view.data(), view.size()};
}
rust::String pipe_error(const PipeEnd* end) {
  return rust::String::lossy(end->reader().error().message());
}
void pipe_take(PipeEnd* end, std::size_t count) {
  end->reader().take(count);
}

std::int64_t pipe_room(const PipeEnd* end) {
  const PipeWriter& writer = end->writer();
  return writer.abandoned() ? -1 : static_cast<std::int64_t>(writer.room());
}
std::size_t pipe_write(PipeEnd* end, rust::Slice<const std::uint8_t> data) {
  PipeWriter& writer = end->writer();
  if (writer.kind() == weft::PipeKind::kBytes) return writer.write({data.data(), data.size()});
  writer.write_item({data.data(), data.size()});
  return data.size();
}
void pipe_fail(PipeEnd* end, rust::Str message) {
  end->writer().fail(Error(Errc::kIo, std::string(message)));
}
void pipe_wait(PipeEnd* end, rust::Box<CallWaker> waker) {
  end->wait([waker = std::move(waker)] { waker->wake(); });
}
void pipe_close(PipeEnd* end) {
  delete end;
}

void host_end_pipes(GuestHost* host) {
  host->pipes().end_guest();
}
WakeKey host_add_pump(GuestHost* host) {
  return host->pumps().add();
}
void host_start_pump(GuestHost* host, std::uint32_t slot, rust::Box<Task> task) {
  host->pumps().start(slot, std::move(task));
}

}  // namespace bridge
}  // namespace weft
