#include "capabilities/blobstore/store_by_name.h"

#include "base/check.h"

namespace weft::blobstore {

Store& StoreByName::of(const ContainerName& name) {
  auto other = others.find(name.name);
  Store* store = other == others.end() ? embedded.get() : other->second.get();
  CHECK(store != nullptr);
  return *store;
}

Task<void> StoreByName::create(Request request, ContainerName name) {
  return of(name).create(request, name);
}
Task<std::unique_ptr<Container>> StoreByName::open(Request request, ContainerName name) {
  return of(name).open(request, name);
}
Task<void> StoreByName::remove(Request request, ContainerName name) {
  return of(name).remove(request, name);
}
Task<bool> StoreByName::exists(Request request, ContainerName name) {
  return of(name).exists(request, name);
}

Task<void> StoreByName::copy(Request request, ObjectId from, ObjectId to) {
  Store& source = of(from.container);
  Store& target = of(to.container);
  if (&source == &target) co_return co_await source.copy(request, std::move(from), std::move(to));
  CO_TRY_VOID(check_begin(request.deadline));
  CO_TRY(auto taken, co_await source.open(request, from.container));
  CO_TRY(auto filled, co_await target.open(request, to.container));
  co_return co_await copy_through(request, *taken, from.object, *filled, to.object);
}

Task<void> StoreByName::move(Request request, ObjectId from, ObjectId to) {
  Store& source = of(from.container);
  if (&source == &of(to.container)) {
    co_return co_await source.move(request, std::move(from), std::move(to));
  }
  CO_TRY_VOID(co_await copy(request, from, to));
  CO_TRY(auto taken, co_await source.open(request, from.container));
  co_return co_await taken->erase(request, {from.object});
}

}  // namespace weft::blobstore
