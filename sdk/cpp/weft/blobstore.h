// wasi:blobstore: objects of any size, in containers that outlive the component.
//
// A name of a container is one of `uses.blobstore` in weft.toml; where its objects are kept is the
// operator's choice. What is small goes with `put` and `get`, what is large piece by piece with
// `write` and `read`: whoever is slow makes the other side wait, and nothing is held whole. For
// worlds of WASI 0.2: calls wait where they stand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/result.h"

namespace weft::blobstore {

namespace detail {

using weft::detail::lend;
using weft::detail::view;

inline std::unexpected<Error> taken(guest_string_t& error) {
  std::string message(view(error));
  guest_string_free(&error);
  return failure(Code::kOther, std::move(message));
}

// Owns a handle and drops it.
template <class Own, void (*drop)(Own)>
class Handle {
 public:
  explicit Handle(Own own) : own_(own) {}
  Handle(Handle&& other) noexcept : own_(std::exchange(other.own_, Own{0})) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(own_, other.own_);
    return *this;
  }
  ~Handle() { reset(); }

  void reset() {
    if (own_.__handle != 0) drop(std::exchange(own_, Own{0}));
  }
  Own get() const { return own_; }
  Own release() { return std::exchange(own_, Own{0}); }
  explicit operator bool() const { return own_.__handle != 0; }

 private:
  Own own_;
};

using Value =
    Handle<wasi_blobstore_types_own_outgoing_value_t, wasi_blobstore_types_outgoing_value_drop_own>;
using Output = Handle<wasi_io_streams_own_output_stream_t, wasi_io_streams_output_stream_drop_own>;
using Input = Handle<wasi_io_streams_own_input_stream_t, wasi_io_streams_input_stream_drop_own>;

}  // namespace detail

struct ObjectInfo {
  std::uint64_t size = 0;
  std::uint64_t created_at = 0;  // Seconds since 1970.
};

// The bytes from `first` to `last`, both included. Beyond the end there are none.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = UINT64_MAX;
};

// An object in the making: there once `finish` has succeeded, and never if it goes without.
class Writer {
 public:
  // One that has no name yet: Container::bind gives it one, before it is finished. What is large
  // should have it before it is written.
  static Result<Writer> make() {
    detail::Value value(wasi_blobstore_types_static_outgoing_value_new_outgoing_value());
    wasi_io_streams_own_output_stream_t stream;
    auto lent = wasi_blobstore_types_borrow_outgoing_value(value.get());
    if (!wasi_blobstore_types_method_outgoing_value_outgoing_value_write_body(lent, &stream)) {
      return failure(Code::kOther, "too many objects are being read and written");
    }
    return Writer(std::move(value), detail::Output(stream));
  }

  // Sends all of it, waiting where the store is slow. False when the store takes no more: `finish`
  // says why.
  bool write(Bytes data) {
    while (!data.empty()) {
      std::uint64_t room = 0;
      wasi_io_streams_stream_error_t error;
      if (!wasi_io_streams_method_output_stream_check_write(stream(), &room, &error)) {
        return gone(error);
      }
      if (room == 0) {
        auto ready = wasi_io_streams_method_output_stream_subscribe(stream());
        wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
        wasi_io_poll_pollable_drop_own(ready);
        continue;
      }
      auto now = data.first(room < data.size() ? static_cast<std::size_t>(room) : data.size());
      guest_list_u8_t list{const_cast<std::uint8_t*>(now.data()), now.size()};
      if (!wasi_io_streams_method_output_stream_write(stream(), &list, &error)) return gone(error);
      data = data.subspan(now.size());
    }
    return true;
  }
  bool write(std::string_view text) { return write(bytes(text)); }

  // Makes the object of all that was written, in the place of one that is there. Once, and last.
  Result<> finish() {
    stream_.reset();
    guest_string_t error;
    if (wasi_blobstore_types_static_outgoing_value_finish(value_.release(), &error)) return {};
    return detail::taken(error);
  }

 private:
  friend class Container;
  Writer(detail::Value value, detail::Output stream)
      : value_(std::move(value)), stream_(std::move(stream)) {}
  wasi_io_streams_borrow_output_stream_t stream() const {
    return wasi_io_streams_borrow_output_stream(stream_.get());
  }
  static bool gone(wasi_io_streams_stream_error_t& error) {
    wasi_io_streams_stream_error_free(&error);
    return false;
  }

  // The stream goes before its value.
  detail::Value value_;
  detail::Output stream_;
};

// Bytes as they came, without a copy of them.
class Piece {
 public:
  explicit Piece(guest_list_u8_t list) : list_(list) {}
  Piece(Piece&& other) noexcept : list_(std::exchange(other.list_, {})) {}
  Piece& operator=(Piece&& other) noexcept {
    std::swap(list_, other.list_);
    return *this;
  }
  ~Piece() { guest_list_u8_free(&list_); }

  Bytes bytes() const { return {list_.ptr, list_.len}; }
  std::size_t size() const { return list_.len; }

 private:
  guest_list_u8_t list_;
};

// An object that comes piece by piece, as it was when it was asked for.
class Reader {
 public:
  Reader(detail::Input stream, std::uint64_t size) : stream_(std::move(stream)), size_(size) {}

  // All that it gives.
  std::uint64_t size() const { return size_; }
  // The next piece, waiting for it; nothing at the end. A failure is a failure of the store.
  Result<std::optional<std::string>> read(std::size_t most = 64 << 10) {
    auto piece = read_piece(most);
    if (!piece) return std::unexpected(std::move(piece).error());
    if (!*piece) return std::nullopt;
    Bytes bytes = (*piece)->bytes();
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  // The same for those who only look at it.
  Result<std::optional<Piece>> read_piece(std::size_t most = 64 << 10) {
    guest_list_u8_t piece;
    wasi_io_streams_stream_error_t error;
    auto stream = wasi_io_streams_borrow_input_stream(stream_.get());
    if (wasi_io_streams_method_input_stream_blocking_read(stream, most, &piece, &error)) {
      return Piece(piece);
    }
    bool end = error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
    wasi_io_streams_stream_error_free(&error);
    if (end) return std::nullopt;
    return failure(Code::kOther, "the store failed while an object was read");
  }

 private:
  detail::Input stream_;
  std::uint64_t size_;
};

// An open container. Closed with its last owner.
class Container {
 public:
  explicit Container(wasi_blobstore_container_own_container_t handle) : handle_(handle) {}

  // A whole object, or a part; nothing where it is absent. At most 64 MiB: `read` what is larger.
  Result<std::optional<std::string>> get(std::string_view name, Range range = {}) const {
    auto there = exists(name);
    if (!there) return std::unexpected(std::move(there).error());
    if (!*there) return std::nullopt;
    auto value = value_of(name, range);
    if (!value) return std::unexpected(std::move(value).error());
    wasi_blobstore_types_incoming_value_sync_body_t body;
    guest_string_t error;
    if (!wasi_blobstore_types_static_incoming_value_incoming_value_consume_sync(*value, &body,
                                                                                &error)) {
      return detail::taken(error);
    }
    std::string text(detail::view(body));
    wasi_blobstore_types_incoming_value_sync_body_free(&body);
    return text;
  }
  // A whole object, in the place of one that is there.
  Result<> put(std::string_view name, std::string_view data) const {
    auto writer = write(name);
    if (!writer) return std::unexpected(std::move(writer).error());
    writer->write(data);
    return writer->finish();
  }

  // An object piece by piece, or a part of it.
  Result<Reader> read(std::string_view name, Range range = {}) const {
    auto value = value_of(name, range);
    if (!value) return std::unexpected(std::move(value).error());
    std::uint64_t size = wasi_blobstore_types_method_incoming_value_size(
        wasi_blobstore_types_borrow_incoming_value(*value));
    wasi_io_streams_own_input_stream_t stream;
    guest_string_t error;
    if (!wasi_blobstore_types_static_incoming_value_incoming_value_consume_async(*value, &stream,
                                                                                 &error)) {
      return detail::taken(error);
    }
    return Reader(detail::Input(stream), size);
  }
  // A new object piece by piece.
  Result<Writer> write(std::string_view name) const {
    auto writer = Writer::make();
    if (!writer) return writer;
    auto bound = bind(name, *writer);
    if (!bound) return std::unexpected(std::move(bound).error());
    return writer;
  }
  // Says which object a writer makes: once.
  Result<> bind(std::string_view name, const Writer& writer) const {
    auto text = detail::lend(name);
    auto lent = wasi_blobstore_types_borrow_outgoing_value(writer.value_.get());
    guest_string_t error;
    if (wasi_blobstore_container_method_container_write_data(borrow(), &text, lent, &error)) {
      return {};
    }
    return detail::taken(error);
  }

  Result<bool> exists(std::string_view name) const {
    auto text = detail::lend(name);
    bool found = false;
    guest_string_t error;
    if (!wasi_blobstore_container_method_container_has_object(borrow(), &text, &found, &error)) {
      return detail::taken(error);
    }
    return found;
  }
  // Fails where the object is absent.
  Result<ObjectInfo> info(std::string_view name) const {
    auto text = detail::lend(name);
    wasi_blobstore_types_object_metadata_t found;
    guest_string_t error;
    if (!wasi_blobstore_container_method_container_object_info(borrow(), &text, &found, &error)) {
      return detail::taken(error);
    }
    ObjectInfo info{found.size, found.created_at};
    wasi_blobstore_types_object_metadata_free(&found);
    return info;
  }
  // Removing an absent object is no failure.
  Result<> remove(std::string_view name) const {
    auto text = detail::lend(name);
    guest_string_t error;
    if (wasi_blobstore_container_method_container_delete_object(borrow(), &text, &error)) return {};
    return detail::taken(error);
  }
  // Removes all objects.
  Result<> clear() const {
    guest_string_t error;
    if (wasi_blobstore_container_method_container_clear(borrow(), &error)) return {};
    return detail::taken(error);
  }

  // The names of all objects, in the order of their bytes.
  Result<std::vector<std::string>> names() const {
    constexpr std::uint64_t kAtOnce = 1000;
    wasi_blobstore_container_own_stream_object_names_t list;
    guest_string_t error;
    if (!wasi_blobstore_container_method_container_list_objects(borrow(), &list, &error)) {
      return detail::taken(error);
    }
    detail::Handle<wasi_blobstore_container_own_stream_object_names_t,
                   wasi_blobstore_container_stream_object_names_drop_own>
        owner(list);
    auto lent = wasi_blobstore_container_borrow_stream_object_names(list);
    std::vector<std::string> all;
    for (bool end = false; !end;) {
      wasi_blobstore_container_tuple2_list_object_name_bool_t page;
      if (!wasi_blobstore_container_method_stream_object_names_read_stream_object_names(
              lent, kAtOnce, &page, &error)) {
        return detail::taken(error);
      }
      for (std::size_t i = 0; i < page.f0.len; ++i) {
        all.emplace_back(detail::view(page.f0.ptr[i]));
      }
      end = page.f1;
      wasi_blobstore_container_tuple2_list_object_name_bool_free(&page);
    }
    return all;
  }

 private:
  wasi_blobstore_container_borrow_container_t borrow() const {
    return wasi_blobstore_container_borrow_container(handle_.get());
  }
  Result<wasi_blobstore_types_own_incoming_value_t> value_of(std::string_view name,
                                                             Range range) const {
    auto text = detail::lend(name);
    wasi_blobstore_types_own_incoming_value_t value;
    guest_string_t error;
    if (!wasi_blobstore_container_method_container_get_data(borrow(), &text, range.first,
                                                            range.last, &value, &error)) {
      return detail::taken(error);
    }
    return value;
  }

  detail::Handle<wasi_blobstore_container_own_container_t,
                 wasi_blobstore_container_container_drop_own>
      handle_;
};

// Whether there is a container of that name.
inline Result<bool> exists(std::string_view name) {
  auto text = detail::lend(name);
  bool found = false;
  guest_string_t error;
  if (wasi_blobstore_blobstore_container_exists(&text, &found, &error)) return found;
  return detail::taken(error);
}

// The container of that name, made where it is not there yet.
inline Result<Container> open(std::string_view name) {
  auto text = detail::lend(name);
  wasi_blobstore_container_own_container_t handle;
  guest_string_t error;
  if (wasi_blobstore_blobstore_get_container(&text, &handle, &error)) return Container(handle);
  guest_string_free(&error);
  if (wasi_blobstore_blobstore_create_container(&text, &handle, &error)) return Container(handle);
  guest_string_free(&error);
  // Somebody else may have made it in between.
  if (wasi_blobstore_blobstore_get_container(&text, &handle, &error)) return Container(handle);
  return detail::taken(error);
}

// Deletes a container with its objects; fails where it is not there.
inline Result<> remove(std::string_view name) {
  auto text = detail::lend(name);
  guest_string_t error;
  if (wasi_blobstore_blobstore_delete_container(&text, &error)) return {};
  return detail::taken(error);
}

// Where an object is.
struct Place {
  std::string_view container;
  std::string_view object;
};

// Both replace what is at `to`, whose container has to be there.
inline Result<> copy(Place from, Place to) {
  wasi_blobstore_types_object_id_t source{detail::lend(from.container), detail::lend(from.object)};
  wasi_blobstore_types_object_id_t target{detail::lend(to.container), detail::lend(to.object)};
  guest_string_t error;
  if (wasi_blobstore_blobstore_copy_object(&source, &target, &error)) return {};
  return detail::taken(error);
}
inline Result<> move(Place from, Place to) {
  wasi_blobstore_types_object_id_t source{detail::lend(from.container), detail::lend(from.object)};
  wasi_blobstore_types_object_id_t target{detail::lend(to.container), detail::lend(to.object)};
  guest_string_t error;
  if (wasi_blobstore_blobstore_move_object(&source, &target, &error)) return {};
  return detail::taken(error);
}

}  // namespace weft::blobstore
