#include "capabilities/blobstore/container.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::blobstore {

Extent clamp(Range range, std::uint64_t size) {
  if (range.first > range.last || range.first >= size) return {std::min(range.first, size), 0};
  return {range.first, std::min(range.last, size - 1) - range.first + 1};
}

std::string shown(std::string_view name) {
  constexpr std::size_t kShown = 80;
  std::string text;
  for (char c : name.substr(0, kShown)) {
    auto byte = static_cast<unsigned char>(c);
    bool plain = byte >= 0x20 && byte != 0x7f && c != '"' && c != '\\';
    text += plain ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  if (name.size() <= kShown) return fmt::format("\"{}\"", text);
  // A character that the cut has split is left out.
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80U) != 0) text.pop_back();
  return fmt::format("\"{}...\" ({} bytes)", text, name.size());
}

Result<void> check_container(const ContainerName& name) {
  std::size_t bytes = std::max(name.owner.size(), name.name.size());
  if (bytes > kContainerNameBytesMax || name.name.empty()) {
    return failure(Errc::kInvalid, fmt::format("a container name of {} bytes: 1 to {} are allowed",
                                               bytes, kContainerNameBytesMax));
  }
  return {};
}

Result<void> check_object(std::string_view name) {
  if (!name.empty() && name.size() <= kObjectNameBytesMax) return {};
  return failure(Errc::kInvalid, fmt::format("an object name of {} bytes: 1 to {} are allowed",
                                             name.size(), kObjectNameBytesMax));
}

Result<void> check_object(const ObjectId& object) {
  TRY_VOID(check_container(object.container));
  return check_object(object.object);
}

Result<void> check_names(const std::vector<std::string>& names) {
  if (names.size() > kEraseNamesMax) {
    return failure(Errc::kInvalid, fmt::format("{} objects to delete: at most {} go in one call",
                                               names.size(), kEraseNamesMax));
  }
  for (const std::string& name : names) TRY_VOID(check_object(name));
  return {};
}

Result<void> check_begin(Deadline deadline) {
  if (!deadline.passed()) return {};
  return failure(Errc::kTimeout, "the deadline passed before the change: nothing was changed");
}

std::unexpected<Error> no_container(std::string_view name) {
  return failure(Errc::kNotFound, fmt::format("there is no container {}", shown(name)));
}

std::unexpected<Error> no_object(std::string_view container, std::string_view name) {
  return failure(Errc::kNotFound, fmt::format("there is no object {} in the container {}",
                                              shown(name), shown(container)));
}

std::unexpected<Error> container_there(std::string_view name) {
  return failure(
      Errc::kConflict,
      fmt::format("there is a container {} already: get-container opens it", shown(name)));
}

Task<void> copy_through(Request request, Container& from, std::string name, Container& to,
                        std::string as) {
  CO_TRY(auto reader, co_await from.read(request, std::move(name), {}));
  CO_TRY(auto writer, co_await to.write(request, std::move(as)));
  for (;;) {
    CO_TRY_VOID(check_begin(request.deadline));
    CO_TRY(Bytes part, co_await reader->read(request));
    if (part.empty()) break;
    CO_TRY_VOID(co_await writer->write(request, std::move(part)));
  }
  co_return co_await writer->commit(request);
}

}  // namespace weft::blobstore
