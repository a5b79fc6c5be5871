#pragma once

// The host's side of the guests in stream_guests.h: everything it reads is checked, and nothing
// moves but in `step`.

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "door/values.h"
#include "engine/testing.h"

namespace weft::testing {

// The item at a place of what kStreamGuest sends and expects.
template <class T>
T item_at(std::size_t place) {
  if constexpr (std::same_as<T, Nothing>) {
    return {};
  } else {
    std::uint8_t bytes[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bytes[i] = static_cast<std::uint8_t>(place * sizeof(T) + i);
    }
    T item;
    std::memcpy(&item, bytes, sizeof(T));
    return item;
  }
}

template <class T>
class StreamHost {
 public:
  static constexpr PipeKind kKind = Stream<T>::kKind;

  struct In {
    PipeReader reader;
    std::size_t got = 0;
    std::optional<Error> failed = {};
    bool ended = false;
    bool right = true;

    bool over() const { return ended || failed; }
  };
  struct Out {
    PipeWriter writer;
    std::size_t left = 0;
    std::size_t sent = 0;
  };

  explicit StreamHost(Loop& loop) : loop_(loop) {}

  // For Script::serve.
  bool serve(Call& call, Completion& done) {
    const std::string& name = call.function().name;
    Reader in(call.arguments(), &call.context().resources());
    Writer out(done.reply(), &call.context().resources());
    if (name.starts_with("give")) {
      auto count = in.read<std::uint32_t>();
      out.pipe(give(count));
    } else if (name == "take" || name == "take-later") {
      take(in.pipe_reader(kKind));
    } else if (name == "promise") {
      auto [reader, writer] = Pipe::make(loop_, PipeKind::kOne);
      promised = FutureWriter<std::uint32_t>(std::move(writer));
      out.pipe(std::move(reader));
    } else if (name == "hear") {
      heard = Future<std::uint32_t>(in.pipe_reader(PipeKind::kOne));
    } else if (name == "write-body") {
      auto [body, reader] = OutputPipe::make(loop_);
      std::expected<OutputPipe, Nothing> result = std::move(body);
      out.write(result);
      take(std::move(reader.end()));
    } else if (name == "read-body") {
      InputPipe body(give(in.read<std::uint32_t>()));
      out.write(body);
    } else if (name == "take-in") {
      take(std::move(in.read<InputPipe>().end()));
    } else if (name == "take-out") {
      outs.push_back({.writer = std::move(in.read<OutputPipe>().end()), .left = to_write});
    } else {
      return false;
    }
    must(in.end());
    must(out.end());
    std::move(done).finish();
    return true;
  }

  void take(PipeReader reader) { ins.push_back({.reader = std::move(reader)}); }
  PipeReader give(std::size_t count) {
    auto [reader, writer] = Pipe::make(loop_, kKind);
    outs.push_back({.writer = std::move(writer), .left = count});
    return std::move(reader);
  }

  // Reads what is there and writes what there is room for.
  void step() {
    for (In& in : ins) read(in);
    for (Out& out : outs) write(out);
    if (promised.end() && settle) {
      must(promised.set(*settle));
      promised = {};
    }
  }
  void forget() {
    ins.clear();
    outs.clear();
    promised = {};
    heard = {};
  }

  std::deque<In> ins;
  std::deque<Out> outs;
  FutureWriter<std::uint32_t> promised;
  Future<std::uint32_t> heard;
  std::optional<std::uint32_t> settle = 7;
  // To a stream that the guest hands over.
  std::size_t to_write = 300'000;

 private:
  void read(In& in) {
    while (in.reader && in.reader.state() == PipeState::kData) {
      BytesView view = in.reader.view();
      if constexpr (kKind == PipeKind::kBytes) {
        for (std::uint8_t byte : view) in.right = in.right && byte == item_at<T>(in.got++);
      } else {
        in.right = in.right && must(decoded(view)) == item_at<T>(in.got++);
      }
      in.reader.take(view.size());
    }
    if (!in.reader || in.over()) return;
    in.ended = in.reader.state() == PipeState::kEnd;
    if (in.reader.state() == PipeState::kFailed) in.failed = in.reader.error();
  }

  static Result<T> decoded(BytesView view) {
    Reader reader(view);
    T item = reader.read<T>();
    TRY_VOID(reader.end());
    return item;
  }

  void write(Out& out) {
    if (!out.writer) return;
    while (out.left > 0 && out.writer.room() > 0 && !out.writer.abandoned()) {
      std::size_t count = 1;
      if constexpr (kKind == PipeKind::kBytes) {
        Bytes part(std::min<std::size_t>(out.left, 10'000));
        for (std::size_t i = 0; i < part.size(); ++i) part[i] = item_at<T>(out.sent + i);
        count = out.writer.write(part);
      } else {
        Buffer item;
        Writer(item).write(item_at<T>(out.sent));
        out.writer.write_item(item.view());
      }
      out.left -= count;
      out.sent += count;
    }
    if (out.left == 0) out.writer.finish();
  }

  Loop& loop_;
};

}  // namespace weft::testing
