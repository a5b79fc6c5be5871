#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "io/task.h"

namespace weft {
class Loop;
}  // namespace weft

// What a driver of object stores implements. The README says what each operation promises; the
// conformance suite holds every driver to it.
namespace weft::blobstore {

// Bounds that hold for every driver, so that an app that runs on one runs on another.
inline constexpr std::size_t kContainerNameBytesMax = 250;
inline constexpr std::size_t kObjectNameBytesMax = 1024;
inline constexpr std::size_t kEraseNamesMax = 65'536;
// What one read or write of a body moves at most.
inline constexpr std::size_t kPartBytesMax = 64 << 10;
// Names in one page of a list: so many bytes, or a single name.
inline constexpr std::size_t kPageBytesMax = 256 << 10;

// Where an answer is wanted, and until when. Passed by value.
struct Request {
  Loop& loop;
  Deadline deadline;
};

struct ContainerName {
  std::string owner;  // whose container: those of two owners never meet
  std::string name;   // what the guest calls it
  friend auto operator<=>(const ContainerName&, const ContainerName&) = default;
};

struct ObjectId {
  ContainerName container;
  std::string object;
  friend bool operator==(const ObjectId&, const ObjectId&) = default;
};

// The bytes from `first` to `last`, both included. Beyond the end there are none.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = UINT64_MAX;
};
// The same of an object that has `size` bytes.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};
Extent clamp(Range range, std::uint64_t size);

struct ContainerInfo {
  std::uint64_t created_at = 0;  // Seconds since 1970.
};
struct ObjectInfo {
  std::uint64_t size = 0;
  std::uint64_t created_at = 0;  // Seconds since 1970, when it got these bytes at this place.
};

struct Page {
  std::vector<std::string> names;  // In the order of their bytes.
  bool more = false;               // More may follow the last one.
};

// The bytes of one object, or a part of them, as they were when it was opened: an object that is
// replaced or deleted meanwhile stays readable, or reading fails; bytes of two never mix.
//
// One read at a time; the owner keeps it until the task has ended. Used on one loop.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  // All that it yields.
  virtual std::uint64_t size() const = 0;
  // The next bytes, at most kPartBytesMax of them; none at the end.
  virtual Task<Bytes> read(Request request) = 0;
};

// An object in the making. Nobody sees it before `commit`, and one that is dropped without never
// was. The rules of ObjectReader hold.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  // Appends; the answer is the sign to go on with the next part.
  virtual Task<void> write(Request request, Bytes part) = 0;
  // Puts the object in its place, in one step and durably. Once, and last.
  virtual Task<void> commit(Request request) = 0;
};

// One set of objects by name, opened on one loop and used there only. After the container was
// deleted everything but the reading of what is open fails with kNotFound, until there is one of
// that name again; writers that were begun before stay failed.
//
// Changes are answered when they are durable, and whatever starts after that sees them, on any
// loop. A change whose deadline passes before it is begun fails with kTimeout and changes nothing.
// No room is kFull. The owner keeps the container until its tasks have ended.
class Container {
 public:
  virtual ~Container() = default;

  virtual Task<ContainerInfo> info(Request request) = 0;
  // The object; kNotFound when it is absent.
  virtual Task<std::unique_ptr<ObjectReader>> read(Request request, std::string name,
                                                   Range range) = 0;
  // A new object for that name, in the place of whatever is there when it is committed.
  virtual Task<std::unique_ptr<ObjectWriter>> write(Request request, std::string name) = 0;
  // The names after `after`, all of them where it is empty; at most kPageBytesMax of bytes. A name
  // that is there from the first page to the last is listed once, whatever is written meanwhile.
  virtual Task<Page> list(Request request, std::string after) = 0;
  // Absent ones are no error. Not one step: after a failure some may be gone.
  virtual Task<void> erase(Request request, std::vector<std::string> names) = 0;
  // Nothing where it is absent.
  virtual Task<std::optional<ObjectInfo>> find(Request request, std::string name) = 0;
  // Erases what was there when it began.
  virtual Task<void> clear(Request request) = 0;
};

// The containers of one backend, as one loop reaches them. The owner keeps it until its tasks have
// ended.
class Store {
 public:
  virtual ~Store() = default;

  // kConflict when it is there already.
  virtual Task<void> create(Request request, ContainerName name) = 0;
  // kNotFound when it is not there. The container holds what it needs of the store.
  virtual Task<std::unique_ptr<Container>> open(Request request, ContainerName name) = 0;
  // With its objects; kNotFound when it is not there.
  virtual Task<void> remove(Request request, ContainerName name) = 0;
  virtual Task<bool> exists(Request request, ContainerName name) = 0;
  // Replaces `to`, whose container has to be there, in one step. Onto itself: nothing happens.
  virtual Task<void> copy(Request request, ObjectId from, ObjectId to) = 0;
  // The same, and `from` is gone; where that fails, both are there.
  virtual Task<void> move(Request request, ObjectId from, ObjectId to) = 0;
};

// The checks that come before every driver's work: each fails with kInvalid and says the bound.
Result<void> check_container(const ContainerName& name);
Result<void> check_object(std::string_view name);
Result<void> check_object(const ObjectId& object);
Result<void> check_names(const std::vector<std::string>& names);
Result<void> check_begin(Deadline deadline);

// What is not there, in the same words from every driver.
std::unexpected<Error> no_container(std::string_view name);
std::unexpected<Error> no_object(std::string_view container, std::string_view name);
std::unexpected<Error> container_there(std::string_view name);

// A name as a message shows it: not too long, and one line.
std::string shown(std::string_view name);

// Copies an object through this process, for stores that have no better way.
Task<void> copy_through(Request request, Container& from, std::string name, Container& to,
                        std::string as);

}  // namespace weft::blobstore
