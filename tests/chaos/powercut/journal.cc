#include "journal.h"

#include <fmt/core.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

namespace weft::powercut {
namespace {

constexpr std::size_t kSectorBytes = 512;

struct Head {
  std::uint32_t kind;
  std::uint32_t path_bytes;
  std::uint32_t data_bytes;
  std::uint32_t unused;
  std::uint64_t number;
};

// A file's contents, whatever it is called.
struct File {
  std::vector<std::size_t> changes;  // Records with a write or a truncation, in order.
};
using Names = std::map<std::string, std::shared_ptr<File>>;

std::string folder_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

void apply_name(Names& names, const Record& record, std::shared_ptr<File> file) {
  switch (record.kind) {
    case Record::Kind::kCreate: names[record.path] = std::move(file); break;
    case Record::Kind::kUnlink: names.erase(record.path); break;
    case Record::Kind::kRename: {
      auto moved = names.extract(record.path);
      if (moved) names[record.data] = moved.mapped();
      break;
    }
    default: break;
  }
}

void write_at(std::string& contents, std::uint64_t offset, std::string_view data) {
  if (contents.size() < offset + data.size()) contents.resize(offset + data.size());
  contents.replace(offset, data.size(), data);
}

// Walks the records and knows which of them are durable at the end.
class Replay {
 public:
  Replay(std::span<const Record> records, Left left, std::mt19937_64& chance)
      : records_(records), left_(left), chance_(chance), durable_(records.size()) {}

  Files run() {
    for (std::size_t i = 0; i < records_.size(); ++i) take(i);
    Files files;
    for (auto& [path, file] : names_after_cut()) files[path] = contents(*file);
    return files;
  }

 private:
  bool coin() { return chance_() & 1; }

  void take(std::size_t place) {
    const Record& record = records_[place];
    switch (record.kind) {
      case Record::Kind::kCreate: files_[place] = std::make_shared<File>(); [[fallthrough]];
      case Record::Kind::kRename:
      case Record::Kind::kUnlink:
        apply_name(names_, record, record.kind == Record::Kind::kCreate ? files_[place] : nullptr);
        name_changes_.push_back(place);
        break;
      case Record::Kind::kWrite:
      case Record::Kind::kTruncate:
        if (auto file = names_.find(record.path); file != names_.end()) {
          file->second->changes.push_back(place);
        }
        break;
      case Record::Kind::kFlush:
        if (auto file = names_.find(record.path); file != names_.end()) {
          for (auto change : file->second->changes) durable_[change] |= change < record.number;
        }
        break;
      case Record::Kind::kFlushFolder:
        for (auto change : name_changes_) {
          bool here = folder_of(records_[change].path) == record.path;
          durable_[change] |= here && change < record.number;
        }
        break;
      case Record::Kind::kWritten: durable_[record.number] = 1; break;
      case Record::Kind::kMark: break;
    }
  }

  // File systems keep the order of a folder's changes, so what survives is a prefix of them.
  Names names_after_cut() {
    Names names;
    std::set<std::string> cut;
    for (auto change : name_changes_) {
      const Record& record = records_[change];
      auto folder = folder_of(record.path);
      bool kept = durable_[change] || left_ == Left::kAll ||
                  (left_ == Left::kSome && !cut.contains(folder) && coin());
      if (!kept) cut.insert(folder);
      if (kept) apply_name(names, record, files_.contains(change) ? files_[change] : nullptr);
    }
    return names;
  }

  std::string contents(const File& file) {
    std::string contents;
    for (auto change : file.changes) {
      const Record& record = records_[change];
      bool whole = durable_[change] || left_ == Left::kAll;
      if (record.kind == Record::Kind::kTruncate) {
        if (whole || (left_ == Left::kSome && coin())) contents.resize(record.number);
      } else if (whole) {
        write_at(contents, record.number, record.data);
      } else if (left_ == Left::kSome) {
        write_some(contents, record);
      }
    }
    return contents;
  }

  void write_some(std::string& contents, const Record& record) {
    std::uint64_t end = record.number + record.data.size();
    for (std::uint64_t at = record.number; at < end;) {
      std::uint64_t next = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
      if (coin()) {
        write_at(contents, at, std::string_view(record.data).substr(at - record.number, next - at));
      }
      at = next;
    }
  }

  std::span<const Record> records_;
  Left left_;
  std::mt19937_64& chance_;
  std::vector<std::uint8_t> durable_;  // One flag for each record.
  Names names_;
  std::map<std::size_t, std::shared_ptr<File>> files_;  // By the record that made them.
  std::vector<std::size_t> name_changes_;
};

}  // namespace

Result<std::vector<Record>> read_journal(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  std::vector<Record> records;
  for (std::size_t at = 0; at < bytes.size();) {
    Head head{};
    if (bytes.size() - at < sizeof head) break;
    std::memcpy(&head, bytes.data() + at, sizeof head);
    at += sizeof head;
    // A process that was killed may have left the last record short.
    if (bytes.size() - at < std::size_t{head.path_bytes} + head.data_bytes) break;
    if (head.kind < 1 || head.kind > static_cast<std::uint32_t>(Record::Kind::kWritten)) {
      return failure(Errc::kCorrupt, fmt::format("{}: a record of kind {} at byte {}",
                                                 file.string(), head.kind, at));
    }
    records.push_back({static_cast<Record::Kind>(head.kind), head.number,
                       bytes.substr(at, head.path_bytes),
                       bytes.substr(at + head.path_bytes, head.data_bytes)});
    at += head.path_bytes + head.data_bytes;
  }
  if (records.empty()) {
    return failure(Errc::kNotFound,
                   fmt::format("{} holds no record: the shim saw nothing", file.string()));
  }
  return records;
}

Files files_after_cut(std::span<const Record> records, Left left, std::mt19937_64& chance) {
  return Replay(records, left, chance).run();
}

}  // namespace weft::powercut
