#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "capabilities/keyvalue/bucket.h"
#include "capabilities/keyvalue/drivers/lmdb_committer.h"
#include "capabilities/keyvalue/drivers/lmdb_environment.h"
#include "capabilities/shared_by.h"

namespace weft::keyvalue {

struct LmdbView;

// The embedded, durable key-value backend: one LMDB file and the thread that commits to it.
//
// One per process and state folder, shared by the stores of all loops. The loops outlive it: its
// destructor finishes the writes that wait.
class LmdbDatabase : public std::enable_shared_from_this<LmdbDatabase> {
 public:
  // Opens the file in `folder`, which belongs to nobody else, or makes it.
  static Result<std::shared_ptr<LmdbDatabase>> open(const std::filesystem::path& folder,
                                                    lmdb::EnvironmentOptions options = {});

  // The view that all stores of that loop share: readers are few.
  std::shared_ptr<LmdbView> view(Loop& loop);

  lmdb::Environment& environment() { return *environment_; }
  lmdb::Committer& committer() { return committer_; }

 private:
  explicit LmdbDatabase(std::unique_ptr<lmdb::Environment> environment)
      : environment_(std::move(environment)), committer_(*environment_) {}

  std::unique_ptr<lmdb::Environment> environment_;
  lmdb::Committer committer_;
  PerLoop<LmdbView> views_;
};

// What one loop needs of the database: its reader.
struct LmdbView {
  explicit LmdbView(std::shared_ptr<LmdbDatabase> shared)
      : database(std::move(shared)), reader(database->environment()) {}

  std::shared_ptr<LmdbDatabase> database;
  lmdb::Reader reader;
};

// One loop's store. Reads finish inline; writes go to the commit thread and are answered when they
// are flushed.
class LmdbStore : public Store {
 public:
  explicit LmdbStore(std::shared_ptr<LmdbView> view) : view_(std::move(view)) {}

  Answer<std::unique_ptr<Bucket>> open(Request request, BucketName name) override;

 private:
  std::shared_ptr<LmdbView> view_;  // Shared with the loop's other stores and their buckets.
};

}  // namespace weft::keyvalue
